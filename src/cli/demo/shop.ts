/**
 * A shop's carts to look at: the paper's own example (§4.4), where no "add to cart" may ever be lost or refused.
 *
 * Some customers have the shop open twice, on the phone and at the desk. Both read the cart, both add something, and
 * both write back with the context of what they read: two siblings, through two nodes, and neither is lost.
 */

import { type Answered, ask, refused } from "../http-client.ts";

/** The bucket that holds the carts. */
export const cartsBucket = "carts";

const catalogue: readonly (readonly [product: string, cents: number])[] = [
  ["field notebook", 490],
  ["fountain pen", 2450],
  ["ink, midnight blue", 890],
  ["desk lamp", 5900],
  ["coffee beans, 1 kg", 1890],
  ["filter papers, 100", 420],
  ["moka pot", 3290],
  ["tea towel", 790],
  ["cast-iron pan", 4450],
  ["chopping board, oak", 3400],
  ["bread knife", 2990],
  ["wool blanket", 8900],
  ["bicycle bell", 1250],
  ["puncture kit", 650],
  ["pannier bag", 6400],
  ["hiking map, 1:25,000", 1180],
  ["head torch", 3150],
  ["enamel mug", 1090],
  ["seeds, runner beans", 340],
  ["watering can", 2790],
];

const customers: readonly string[] =
  `ada alan amara anil annie barbara bela carlos chen claude dana dorothy edith edsger elif emil farid fatima frances
   grace greta hana hedy ibrahim ines ivan jean jin john kamal katherine kenji leslie lin lotfi mary maya mei mina niels
   nora olga omar paula pia radia ravi rosa ruth sofia sven tara tim ursula vera vint wei yara yuki zoe`.split(/\s+/);

interface CartLine {
  readonly product: string;
  readonly quantity: number;
  readonly cents: number;
}

interface Cart {
  readonly customer: string;
  readonly lines: readonly CartLine[];
}

/** Whose carts are left with siblings. */
export const undecided: readonly string[] = ["ada", "edsger", "grace", "leslie", "radia"];

/** Puts every cart in place, through one node after the other. Answers how many there are. */
export async function loadShop(urls: readonly string[]): Promise<number> {
  const nodeOf = (turn: number): string => urls[turn % urls.length] ?? "";
  const loads = customers.map(async (customer, turn) => {
    const cart = cartOf(customer, turn);
    const context = await write(nodeOf(turn), cart);
    if (!undecided.includes(customer)) return;
    await Promise.all([
      write(nodeOf(turn + 1), withLine(cart, turn + 7), context),
      write(nodeOf(turn + 2), withLine(cart, turn + 11), context),
    ]);
  });
  await Promise.all(loads);
  return customers.length;
}

/** What the customer has in the cart: always the same, so that two demos show the same shop. */
function cartOf(customer: string, turn: number): Cart {
  const lines = Array.from({ length: 1 + (turn % 4) }, (_, i) => lineOf(turn * 3 + i * 5));
  return { customer, lines };
}

function withLine(cart: Cart, number: number): Cart {
  return { ...cart, lines: [...cart.lines, lineOf(number)] };
}

function lineOf(number: number): CartLine {
  const [product, cents] = catalogue[number % catalogue.length] ?? ["gift card", 1000];
  return { product, quantity: 1 + (number % 3), cents };
}

async function write(url: string, cart: Cart, context?: string): Promise<string> {
  const answer: Answered = await ask({
    url,
    method: "PUT",
    path: `/kv/${cartsBucket}/${cart.customer}`,
    headers: { "content-type": "application/json", ...(context !== undefined && { "cartwheel-context": context }) },
    body: Buffer.from(JSON.stringify(cart)),
  });
  if (answer.status !== 204) throw refused(answer);
  return answer.headers["cartwheel-context"] ?? "";
}
