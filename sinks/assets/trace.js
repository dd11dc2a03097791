// One trace, drawn as a waterfall: each span below its parent, a bar on the trace's time; and the ways back to decision and alerts.

import { clock, count, measure } from "./format.js";

const $ = (id) => document.getElementById(id);

/** Shows traces. `onNode(id)` is called where the viewer goes on to a node. */
export class Trace {
  constructor(onNode) {
    this.onNode = onNode;
    this.shown = null;
    $("trace-close").addEventListener("click", () => this.close());
    $("trace-ways").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.onNode(button.dataset.node);
    });
  }

  /** Asks the server for a trace and draws it. */
  async show(id) {
    this.shown = id;
    $("trace").hidden = false;
    $("trace-id").textContent = id;
    $("trace-spans").replaceChildren();
    $("trace-ways").replaceChildren();
    $("trace-words").textContent = "";
    $("trace").scrollIntoView({ block: "nearest" });
    try {
      const answer = await fetch(`/api/traces/${encodeURIComponent(id)}`);
      if (this.shown !== id) return;
      if (answer.ok) this.#draw(await answer.json());
      else $("trace-words").textContent = "No span of this trace is here: it was not sampled, or others took its place.";
    } catch {
      $("trace-words").textContent = "The server does not answer.";
    }
  }

  close() {
    this.shown = null;
    $("trace").hidden = true;
  }

  #draw(view) {
    const left = view.left_out > 0 ? `, ${count(view.left_out)} more found no room` : "";
    $("trace-words").textContent = `${count(view.spans.length)} spans${left}, ${length(view.duration_us)}, from ${clock(view.t)} UTC`;
    const whole = Math.max(view.duration_us, 1);
    $("trace-spans").replaceChildren(...view.spans.map((span) => spanRow(span, whole)));
    const ways = view.alerts.map(({ node, name, t }) => way(node, `alert ${name} of ${node}, ${clock(t)}`));
    if (view.decision) ways.unshift(way(view.decision.node, `decision for ${view.decision.node}, ${clock(view.decision.t)}`));
    $("trace-ways").replaceChildren(...ways);
  }
}

function way(node, words) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.node = node;
  button.textContent = words;
  return button;
}

function spanRow(span, whole) {
  const row = document.createElement("li");
  if (span.error !== null) row.className = "failed";
  const name = document.createElement("span");
  name.className = "name";
  name.style.paddingLeft = `${span.depth * 14}px`;
  const service = document.createElement("b");
  service.textContent = span.service;
  name.append(service, ` ${span.operation}`);
  const track = document.createElement("span");
  track.className = "track";
  const bar = document.createElement("i");
  bar.style.marginLeft = `${(100 * span.start_us) / whole}%`;
  bar.style.width = `${(100 * span.duration_us) / whole}%`;
  track.append(bar);
  const took = document.createElement("span");
  took.className = "took";
  took.textContent = length(span.duration_us) + (span.error === null ? "" : ` failed${span.error ? `: ${span.error}` : ""}`);
  row.append(name, track, took);
  return row;
}

/** Microseconds in the unit that suits them. */
function length(us) {
  if (us < 1000) return `${measure(us)}\u202fµs`;
  return us < 1e6 ? `${measure(us / 1000)}\u202fms` : `${measure(us / 1e6)}\u202fs`;
}
