/**
 * The three ways to place keys on nodes that the paper compares (§6.2, Figures 7 and 8).
 *
 * 1. Every node draws T random tokens, and a key belongs to the first token clockwise of it: tokens both cut the ring
 *    and place its parts.
 * 2. Tokens as before, but the ring is cut into Q equal parts, and tokens only say who holds each: the first nodes
 *    clockwise of the part's end.
 * 3. Q equal parts, and every node has Q/S of them. The paper leaves open which; here they are dealt at random, and the
 *    other copies are on the next nodes clockwise. What the product does instead places each copy on its own, by `claim`.
 *
 * Nothing but `claimed` is the product's. Positions on the ring are numbers from 0 up to 1.
 */

import type { NodeId } from "../../../src/core/ids.ts";
import { claim, type Seats } from "../../../src/core/ring/claim.ts";
import type { Prng } from "../../../src/sim/prng.ts";

/** Who holds which part of the ring. */
export interface TokenRing {
  readonly nodes: number;
  /** Where each part ends, ascending, the last at 1; each begins where the one before ends. */
  readonly ends: Float64Array;
  /** The nodes that hold each, all different; the first coordinates. */
  readonly owners: readonly (readonly number[])[];
}

export interface ClusterSize {
  /** S of the paper. */
  readonly nodes: number;
  /** N. */
  readonly copies: number;
}

/** A place on the ring that a node has drawn. */
export interface Token {
  readonly position: number;
  readonly node: number;
}

/** Strategy 1: the ring is cut where the tokens are, which ascend. */
export function cutByTokens(tokens: readonly Token[], { nodes, copies }: ClusterSize): TokenRing {
  const ends = tokens.map(({ position }) => position);
  const owners = tokens.map((_, i) => clockwise(tokens, i, copies));
  // What lies behind the last token belongs to the first: a part of its own, since the ring is a line here.
  return { nodes, ends: Float64Array.from([...ends, 1]), owners: [...owners, owners[0] ?? []] };
}

/** Strategy 2: the ring is cut into equal parts, and the tokens, which ascend, say whose each is. */
export function tokensOverPartitions(
  tokens: readonly Token[],
  { nodes, copies, partitions }: ClusterSize & { readonly partitions: number },
): TokenRing {
  const ends = equalEnds(partitions);
  let next = 0;
  const owners = Array.from(ends, (end) => {
    while (next < tokens.length && (tokens[next] as Token).position < end) next++;
    return clockwise(tokens, next % tokens.length, copies);
  });
  return { nodes, ends, owners };
}

/** Strategy 3 as the paper tells it: Q/S parts for each node, dealt at random, copies on the next nodes clockwise. */
export function dealt(
  prng: Prng,
  { nodes, copies, partitions }: ClusterSize & { readonly partitions: number },
): TokenRing {
  // Where Q is no multiple of S, some have one more.
  const hands = prng.shuffled(Array.from({ length: nodes }, (_, node) => node));
  const holders = prng.shuffled(Array.from({ length: partitions }, (_, i) => hands[i % nodes] as number));
  const tokens = holders.map((node, i): Token => ({ position: i / partitions, node }));
  return { nodes, ends: equalEnds(partitions), owners: tokens.map((_, i) => clockwise(tokens, i, copies)) };
}

/** Strategy 3 as this store has it: the product's claim, the nodes having joined one after the other. */
export function claimed({ nodes, copies, partitions }: ClusterSize & { readonly partitions: number }): TokenRing {
  const members = Array.from({ length: nodes }, (_, i) => ({ node: idOf(i), zone: "", capacity: 1 }));
  let seats: readonly Seats[] = [];
  for (let joined = 1; joined <= nodes; joined++) {
    seats = claim(seats, members.slice(0, joined), { partitions, copies });
  }
  const numbers = new Map(members.map(({ node }, i) => [node, i]));
  const owners = seats.map((holders) => holders.map((node) => numbers.get(node) as number));
  return { nodes, ends: equalEnds(partitions), owners };
}

/** What each node's share of all requests is, if every place on the ring is asked for equally and each owner serves: they add up to N. */
export function sharesOf({ nodes, ends, owners }: TokenRing): Float64Array {
  const shares = new Float64Array(nodes);
  let begins = 0;
  for (const [i, holders] of owners.entries()) {
    const end = ends[i] as number;
    for (const node of holders) shares[node] = (shares[node] as number) + end - begins;
    begins = end;
  }
  return shares;
}

/** The paper's load balancing efficiency: the mean load over the greatest. */
export function efficiencyOf(loads: Float64Array): number {
  let sum = 0;
  let most = 0;
  for (const load of loads) {
    sum += load;
    if (load > most) most = load;
  }
  return most === 0 ? 1 : sum / loads.length / most;
}

/** The nodes that hold the place. */
export function ownersAt({ ends, owners }: TokenRing, position: number): readonly number[] {
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ends[middle] as number) > position) high = middle;
    else low = middle + 1;
  }
  return owners[low] as readonly number[];
}

/** So many tokens of each node, in the order of their places. */
export function drawTokens(prng: Prng, nodes: number, tokens: number): readonly Token[] {
  const drawn: Token[] = [];
  for (let node = 0; node < nodes; node++) {
    for (let i = 0; i < tokens; i++) drawn.push({ position: (prng.u32() + prng.u32() / 2 ** 32) / 2 ** 32, node });
  }
  return drawn.sort((a, b) => a.position - b.position);
}

/** The first so many different nodes from the token on. */
function clockwise(tokens: readonly Token[], from: number, copies: number): readonly number[] {
  const found: number[] = [];
  for (let i = 0; i < tokens.length && found.length < copies; i++) {
    const { node } = tokens[(from + i) % tokens.length] as Token;
    if (!found.includes(node)) found.push(node);
  }
  return found;
}

function equalEnds(partitions: number): Float64Array {
  return Float64Array.from({ length: partitions }, (_, i) => (i + 1) / partitions);
}

function idOf(i: number): NodeId {
  return i.toString(16).padStart(16, "0") as NodeId;
}
