/**
 * Counts the zones that a request's answers come from, where it asks for several: a write that two zones hold outlives
 * the loss of either, and a read of two zones has not heard one side of a split alone (§4.6: preference lists span data
 * centers).
 *
 * A node counts here by what makes it count in `tally.ts`, its voice or a copy that it holds, and for the zone it is in:
 * a stand-in from another zone than its owner's counts for its own. A node that has neither counts for nothing, nor does
 * one whose voice turns out to be outdated.
 */

import type { NodeId } from "../ids.ts";
import type { Voice } from "./voice.ts";

export class ZoneTally {
  /** How many zones the request needs. */
  readonly needed: number;
  /** Undefined for one that is no member, as far as is known: it may be in any zone, and counts for none. */
  readonly #zoneOf: (node: NodeId) => string | undefined;
  /** The nodes that count, each with its voice, if it has one. */
  readonly #counted: Map<NodeId, Voice | undefined> = new Map();
  readonly #ownersToCome: Set<NodeId>;
  readonly #standInsToCome: Set<NodeId> = new Set();
  #waitsForOwners = true;

  /** `owners`: all that are asked. */
  constructor(needed: number, owners: readonly NodeId[], zoneOf: (node: NodeId) => string | undefined) {
    this.needed = needed;
    this.#ownersToCome = new Set(owners);
    this.#zoneOf = zoneOf;
  }

  /** Somebody is asked to stand in. */
  standInAsked(node: NodeId): void {
    this.#standInsToCome.add(node);
  }

  /** Another node is asked as a seat's owner. */
  ownerAsked(node: NodeId): void {
    this.#ownersToCome.add(node);
  }

  /** More is known: some voices are void. */
  follow(isVoid: (voice: Voice) => boolean): void {
    for (const [node, voice] of this.#counted) {
      if (voice !== undefined && isVoid(voice)) this.#counted.delete(node);
    }
  }

  /** The node answered; it counts if it has a voice or holds a copy. */
  heard(node: NodeId, voice: Voice | undefined, holdsCopy: boolean): void {
    this.failed(node);
    if (voice !== undefined || holdsCopy) this.#counted.set(node, voice);
  }

  /** The node will not answer. */
  failed(node: NodeId): void {
    this.#ownersToCome.delete(node);
    this.#standInsToCome.delete(node);
  }

  /** Owners have been waited for long enough: others may answer for their zones. */
  hurry(): void {
    this.#waitsForOwners = false;
  }

  /** Zones that answers came from so far. */
  get received(): number {
    return this.#countedZones().size;
  }

  get isMet(): boolean {
    return this.received >= this.needed;
  }

  /** Even with all that are asked there are too few. */
  get isLost(): boolean {
    return this.#zones(true).size < this.needed;
  }

  /** In how many zones somebody else must yet answer; none (or less) while those asked may do, in time. */
  get missing(): number {
    return this.needed - this.#zones(this.#waitsForOwners).size;
  }

  /**
   * Those of the nodes that would bring a missing zone each, the first of each zone, as many as are missing, `instead`
   * of an owner that is not waited for.
   */
  wanted(nodes: readonly NodeId[], instead?: NodeId): readonly NodeId[] {
    const zones = this.#zones(this.#waitsForOwners, instead);
    const missing = this.needed - zones.size;
    const wanted: NodeId[] = [];
    for (const node of nodes) {
      if (wanted.length >= missing) break;
      const zone = this.#zoneOf(node);
      if (zone === undefined || zones.has(zone)) continue;
      wanted.push(node);
      zones.add(zone);
    }
    return wanted;
  }

  #countedZones(): Set<string> {
    return this.#add(new Set(), this.#counted.keys());
  }

  /** Zones counted or to come. */
  #zones(withOwners: boolean, without?: NodeId): Set<string> {
    const zones = this.#countedZones();
    this.#add(zones, this.#standInsToCome);
    return withOwners
      ? this.#add(
          zones,
          [...this.#ownersToCome].filter((node) => node !== without),
        )
      : zones;
  }

  #add(zones: Set<string>, nodes: Iterable<NodeId>): Set<string> {
    for (const node of nodes) {
      const zone = this.#zoneOf(node);
      if (zone !== undefined) zones.add(zone);
    }
    return zones;
  }
}
