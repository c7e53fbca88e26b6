/** A plain page for a person who opens a node's address in a browser: the cluster at a glance, without any script. */

import type { ClusterView, NodeApi } from "../node/api.ts";
import type { HttpAnswer } from "./route.ts";
import { whyNotReady } from "./service-routes.ts";

const style = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222 }
h1 { font-size: 1.4rem } table { border-collapse: collapse; width: 100% } code { font-size: 0.9em }
th, td { text-align: left; padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid #ddd }
.up { color: #17702b } .down { color: #b3261e } .joining, .leaving { color: #8a5a00 }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #ddd } th, td { border-color: #333 } }
`;

/** The page. */
export function statusPage(node: NodeApi | undefined): HttpAnswer {
  const name = escaped(node?.name ?? "a node");
  const body = node?.isReady ? clusterPart(node.cluster()) : `<p>${name}: ${escaped(whyNotReady(node))}.</p>`;
  return {
    status: 200,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    },
    body: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Cartwheel: ${name}</title>
<meta name="viewport" content="width=device-width"><style>${style}</style></head>
<body><h1>Cartwheel: ${name}</h1>
${body}
<p><a href="/cluster">/cluster</a> · <a href="/cluster/ring">/cluster/ring</a> · <a href="/buckets">/buckets</a> ·
<a href="/metrics">/metrics</a> · <a href="/openapi.json">/openapi.json</a></p></body></html>
`,
  };
}

function clusterPart(view: ClusterView): string {
  const { n, r, w } = view.quorum;
  const rows = view.members.map((member) => {
    const http = member.http === "" ? "" : `<a href="http://${escaped(member.http)}/">${escaped(member.http)}</a>`;
    const cells = [
      escaped(member.name),
      `<span class="${escaped(member.status)}">${escaped(member.status)}</span>`,
      escaped(member.zone),
      escaped(String(member.capacity)),
      escaped(String(member.partitions)),
      escaped(member.peer),
      http,
    ];
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
  });
  return `<p>Cluster <code>${escaped(view.cluster)}</code>, ring version ${view.ringVersion}, ${view.partitions} partitions,
n ${n}, r ${r}, w ${w}. Hints held here: ${view.hints}. Pending transfers: ${view.pendingTransfers}.</p>
<table><thead><tr><th>Member<th>Status<th>Zone<th>Capacity<th>Partitions<th>Peers at<th>HTTP at</tr></thead>
<tbody>${rows.join("\n")}</tbody></table>`;
}

/** Names and zones are whatever an operator typed. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
