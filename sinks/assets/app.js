// The page's wiring: the server's stream in, panels out, and what the viewer chose.
//
//   /events ──stats──> figures, clock, foot
//           ──fleet──> squares, figures; asks /api/nodes/{id} for the chosen node ──> head, chart, legend
//           ──decisions──> table
//   a decision's or an alert's trace: /api/traces/{id} ──> waterfall, and from there back

import { Chart } from "./chart.js";
import { Fleet } from "./fleet.js";
import { DecisionTable, NodeAlerts, showCounts, showLegend, showNode, showStats } from "./panels.js";
import { Trace } from "./trace.js";

const $ = (id) => document.getElementById(id);

/** Without a word from the server for so long, the connection counts as lost. */
const PATIENCE_MS = 5000;
const RETRY_MS = 2000;
/** A newcomer's first node is chosen for them, and chosen again this often until one is worth looking at. */
const SETTLE_TICKS = 5;

const fleet = new Fleet($("fleet-grid"), $("fleet-read"), choose);
const chart = new Chart($("chart"), showLegend);
const trace = new Trace(choose);
const showTrace = (id) => trace.show(id);
const table = new DecisionTable(choose, showTrace);
const alerts = new NodeAlerts(showTrace, (t) => {
  $("only-node").checked = true;
  showDecisions(true);
  table.point(t);
});
const chosen = { id: named(), byViewer: named() !== null, ticks: 0, asking: false };
let latest = { decisions: [], ofNode: [] };
let heard = performance.now();

/** The node named in the address, so that a view can be linked to. */
function named() {
  const match = /^#node=(.+)$/.exec(location.hash);
  try {
    return match ? decodeURIComponent(match[1]) : null;
  } catch {
    return null;
  }
}

/** Shows the trace named in the address, where one is. */
function showNamedTrace() {
  const match = /^#trace=([0-9a-f]{32})$/.exec(location.hash);
  if (match) showTrace(match[1]);
}

/** The viewer's choice. */
function choose(id) {
  chosen.byViewer = true;
  history.replaceState(null, "", `#node=${encodeURIComponent(id)}`);
  show(id);
}

function show(id) {
  chosen.id = id;
  latest.ofNode = [];
  fleet.select(id);
  table.mark(id);
  askForNode();
}

async function askForNode() {
  const { id } = chosen;
  if (id === null || chosen.asking === id || document.hidden) return;
  chosen.asking = id;
  try {
    const answer = await fetch(`/api/nodes/${encodeURIComponent(id)}`);
    if (answer.ok && chosen.id === id) {
      const view = await answer.json();
      showNode(view);
      alerts.update(view);
      chart.update(view);
      latest.ofNode = view.decisions;
      if ($("only-node").checked) showDecisions();
    }
  } catch {
    // The stream says when the connection is lost.
  } finally {
    if (chosen.asking === id) chosen.asking = false;
  }
}

function showDecisions(always = false) {
  table.update($("only-node").checked ? latest.ofNode : latest.decisions, always);
}

function onFleet(view) {
  fleet.update(view);
  showCounts(view);
  if (view.ids.length === 0) return;
  if (!chosen.byViewer && (chosen.id === null || chosen.ticks < SETTLE_TICKS)) {
    chosen.ticks += 1;
    const telling = fleet.mostTelling();
    if (telling !== chosen.id) show(telling);
  }
  if (fleet.selected === null && chosen.id !== null) show(chosen.id);
  else askForNode();
}

function connection(state) {
  const words = { live: "live", waiting: "connecting", lost: "connection lost, retrying" };
  if ($("link").dataset.state === state) return;
  $("link").dataset.state = state;
  $("link-text").textContent = words[state];
  document.body.classList.toggle("stale", state === "lost");
}

function connect() {
  const stream = new EventSource("/events");
  const on = (name, take) => stream.addEventListener(name, (event) => {
    heard = performance.now();
    connection("live");
    take(JSON.parse(event.data));
  });
  on("stats", showStats);
  on("fleet", onFleet);
  on("decisions", (view) => {
    latest.decisions = view.decisions;
    if (!$("only-node").checked) showDecisions();
  });
  stream.addEventListener("error", () => {
    connection("lost");
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  });
}

setInterval(() => {
  if (performance.now() - heard > PATIENCE_MS) connection("lost");
}, 1000);
$("only-node").addEventListener("change", () => showDecisions(true));
for (const button of document.querySelectorAll("#span button")) {
  button.addEventListener("click", () => {
    for (const other of document.querySelectorAll("#span button")) other.setAttribute("aria-pressed", String(other === button));
    chart.spanMs = Number(button.dataset.minutes) * 60_000;
    chart.draw();
  });
}
addEventListener("hashchange", () => named() !== null && choose(named()));
addEventListener("hashchange", showNamedTrace);
showNamedTrace();
connect();
