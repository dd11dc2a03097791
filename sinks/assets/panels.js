// The panels in words and numbers: key figures, the chosen node's head and legend, the table of decisions, the foot.

import { STATES, clock, count, dayAndClock, duration, known, measure, percent, raiseInWords, times } from "./format.js";

const $ = (id) => document.getElementById(id);

/** Rows of the table at most. */
const ROWS = 60;
/** Alerts of the chosen node at most. */
const ALERTS = 3;

/** The pipeline's figures. */
export function showStats(stats) {
  figure("rate", `${count(stats.reports_per_s)}`, "/s", `${count(stats.forecasts_per_s)} forecasts, ${count(stats.commands_per_s)} quotas`);
  figure("latency", measure(stats.latency_p50_ms), "ms", known(stats.latency_p99_ms) ? `median; p99 ${measure(stats.latency_p99_ms)}\u202fms` : "median");
  figure("lag", count(stats.lag), "", "records waiting");
  const speed = stats.speed === null ? "as fast as it goes" : `${+stats.speed.toFixed(2)}× speed`;
  $("clock").textContent = known(stats.event_time) ? `${dayAndClock(stats.event_time)} UTC · ${speed}` : "";
  $("broker").textContent = stats.broker ? `Broker ${stats.broker}: any Kafka client may connect and read along.` : "";
  $("dead").textContent = stats.dead_letters === 0 ? "No record was set aside." : `${count(stats.dead_letters)} records could not be read and were set aside as dead letters.`;
}

/** The fleet's figures. */
export function showCounts(view) {
  const { counts, raises } = view;
  const others = [[counts.warming, "warming"], [counts.demoted, "demoted"], [counts.silent, "silent"], [counts.alerting, "with an alert"], [counts.controlled, "under a control"]]
    .filter(([n]) => n > 0).map(([n, what]) => `${count(n)} ${what}`);
  figure("nodes", count(counts.nodes), "", view.crowded ? "more than the page can show" : [`${count(counts.ready)} ready`, ...others].join(", "));
  figure("hot", count(counts.hot), "", "load above 80\u202f%");
  figure("ahead", count(counts.ahead), "", "load still below 80\u202f%");
  const rises = raises.confirmed + raises.late;
  const lead = known(raises.mean_lead_ms) ? `mean lead ${duration(raises.mean_lead_ms)}, ` : "";
  figure("came", rises > 0 ? count(raises.confirmed) : "–", rises > 0 ? `of ${count(rises)}` : "", `${lead}${count(raises.missed)} in vain`);
}

function figure(key, value, unit, note) {
  const dd = document.querySelector(`#figures [data-key="${key}"] dd`);
  if (!dd.firstChild) dd.append(document.createElement("b"), document.createElement("span"), document.createElement("small"));
  const [b, span, small] = dd.children;
  put(b, value);
  put(span, unit);
  put(small, note);
}

/** The chosen node's head: who it is, how it stands, why it has this quota. */
export function showNode(view) {
  put($("node-id"), view.id);
  const [state, meaning] = STATES[view.state];
  const raised = raiseInWords(view.raise.state, view.raise.lead_ms);
  const chips = [[state, meaning, `state-${state.toLowerCase().replace(" ", "-")}`]];
  if (view.pool) chips.unshift([view.pool, "pool", "pool"]);
  if (raised) chips.push([raised, "", `raise-${view.raise.state}`]);
  $("node-chips").replaceChildren(...chips.map(([words, title, look]) => {
    const chip = element("span", `chip ${look}`, words);
    if (title) chip.title = title;
    return chip;
  }));
  showControls(view.controls);
  const { decision } = view;
  put($("node-why"), decision ? `${decision.enforced ? "Quota" : "Recommended and not enforced: quota"} ${count(decision.quota)} of ${count(view.base_quota)} (${times(decision.scale)}). ${sentence(decision)}` : "No quota command yet.");
}

/** Operators' controls in force on the chosen node: what, who, why and until when. */
function showControls(controls) {
  const list = $("node-controls");
  const lines = controls.map(({ target, words, by, why, until }) => {
    const whose = target.startsWith("pool:") ? ` for ${target}` : "";
    return `Control: ${words.join(", ")}${whose}, by ${by}: ${why}${known(until) ? ` (until ${dayAndClock(until)} UTC)` : ""}`;
  });
  list.hidden = lines.length === 0;
  if (list.textContent === lines.join("")) return;
  list.replaceChildren(...lines.map((line) => element("li", "", line)));
}

/** The chosen node's latest alerts, each with the way to its decision and its trace. */
export class NodeAlerts {
  constructor(onTrace, onDecision) {
    this.list = $("node-alerts");
    this.shown = "";
    this.list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if (button.dataset.trace) onTrace(button.dataset.trace);
      else onDecision(Number(button.dataset.t));
    });
  }

  update({ id, alerts }) {
    this.list.hidden = alerts.length === 0;
    const shown = JSON.stringify([id, alerts]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.list.replaceChildren(...alerts.slice(0, ALERTS).map(alertLine));
  }
}

function alertLine(alert) {
  const fires = !known(alert.ends_at);
  const when = fires ? `fires since ${dayAndClock(alert.fired_at)}` : `fired ${dayAndClock(alert.fired_at)} to ${clock(alert.ends_at)}`;
  const line = element("li", fires ? "fires" : "", `${alert.rule} ${when} UTC${alert.summary ? `: ${alert.summary}` : ""}`);
  line.title = `fingerprint ${alert.fingerprint}`;
  if (known(alert.decision)) line.append(" ", link("decision", "t", alert.decision));
  if (alert.trace && alert.spans > 0) line.append(" ", link("trace", "trace", alert.trace));
  return line;
}

/** A button among words, with what it leads to. */
function link(words, name, value) {
  const button = element("button", "", words);
  button.type = "button";
  button.dataset[name] = value;
  return button;
}

/** The chart's legend with the values at one moment. */
export function showLegend(point) {
  const values = {
    cpu: percent(point.cpu),
    memory: percent(point.memory),
    band: known(point.p50) ? `${percent(point.p50).replace(/\D+$/, "")}–${percent(point.p90)}` : "–",
    quota: percent(point.quota),
  };
  for (const [name, words] of Object.entries(values)) put(document.querySelector(`#chart-key [data-line="${name}"] b`), words);
}

function sentence(decision) {
  const reason = decision.reason ? decision.reason[0].toUpperCase() + decision.reason.slice(1) : "";
  const limits = decision.limits.length > 0 ? ` Bound by ${decision.limits.join(", ")}.` : "";
  return reason + (reason && !reason.endsWith(".") ? "." : "") + limits;
}

/** The table of decisions. It stands still while it is held, pointed at or in focus. */
export class DecisionTable {
  constructor(onSelect, onTrace) {
    this.body = $("decisions");
    this.scroll = $("decisions-scroll");
    this.hold = $("hold");
    this.onSelect = onSelect;
    this.selected = null;
    this.hold.addEventListener("click", () => {
      const pressed = this.hold.getAttribute("aria-pressed") !== "true";
      this.hold.setAttribute("aria-pressed", String(pressed));
      put(this.hold, pressed ? "Held" : "Hold");
    });
    this.body.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button?.dataset.trace) onTrace(button.dataset.trace);
      else if (button) this.onSelect(button.dataset.node);
    });
  }

  /** Brings the decision of an event time into view. */
  point(t) {
    const row = [...this.body.children].find((row) => row.dataset.t === String(t) && row.dataset.node === this.selected);
    row?.scrollIntoView({ block: "nearest" });
    row?.querySelector("button").focus();
  }

  /** Whether rows may move now. */
  get still() {
    const pointed = matchMedia("(hover: hover)").matches && this.body.matches(":hover");
    return this.hold.getAttribute("aria-pressed") === "true" || pointed || this.body.matches(":focus-within");
  }

  /** Shows decisions, newest first; `always` overrules a hold, for a change the viewer asked for. */
  update(decisions, always = false) {
    if (this.still && !always) return;
    const wanted = decisions.slice(0, ROWS).map((decision) => [`${decision.t} ${decision.node} ${decision.spans > 0} ${decision.alerts.join()}`, decision]);
    const keys = new Set(wanted.map(([key]) => key));
    const kept = new Map();
    for (const row of [...this.body.children]) {
      if (keys.has(row.dataset.key)) kept.set(row.dataset.key, row);
      else row.remove();
    }
    let place = this.body.firstChild;
    for (const [key, decision] of wanted) {
      const row = kept.get(key) ?? decisionRow(key, decision);
      if (row === place) place = place.nextSibling;
      else this.body.insertBefore(row, place);
    }
    this.mark(this.selected);
    $("decisions-empty").hidden = wanted.length > 0;
  }

  /** Marks the rows of the node shown in the chart. */
  mark(id) {
    this.selected = id;
    for (const row of this.body.children) row.classList.toggle("own", row.dataset.node === id);
  }
}

function decisionRow(key, decision) {
  const row = element("tr");
  row.dataset.key = key;
  row.dataset.node = decision.node;
  row.dataset.t = decision.t;
  const kind = decision.scale > 1 ? "up" : decision.scale < 1 ? "down" : "even";
  row.dataset.kind = kind;
  const name = element("button", "id", decision.node);
  name.type = "button";
  name.dataset.node = decision.node;
  const node = element("td");
  node.append(name);
  const sign = { up: "▲", down: "▼", even: "=" }[kind];
  const scale = element("td", "num scale");
  scale.append(element("span", "sign", sign), ` ${times(decision.scale)}`);
  const took = element("td", "num took", known(decision.latency_ms) ? `${measure(decision.latency_ms)}\u202fms` : "–");
  const why = element("td", "reason", decision.reason);
  if (!decision.enforced) why.append(" ", element("span", "chip limit", "not enforced"));
  for (const limit of decision.limits) why.append(" ", element("span", "chip limit", limit));
  for (const rule of decision.alerts) {
    const alert = link(`alert ${rule}`, "node", decision.node);
    why.append(" ", alert);
  }
  if (decision.spans > 0) why.append(" ", link("trace", "trace", decision.trace));
  row.append(element("td", "time", clock(decision.t)), node, element("td", "num", count(decision.quota)), scale, took, why);
  return row;
}

function element(name, look = "", words = "") {
  const made = document.createElement(name);
  if (look) made.className = look;
  if (words) made.textContent = words;
  return made;
}

function put(target, words) {
  if (target.textContent !== words) target.textContent = words;
}
