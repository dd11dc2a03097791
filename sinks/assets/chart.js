// One node's chart in SVG: load as lines, the forecast peak as a band, the quota as steps, the next 5 minutes at the right.

import { clock, duration, known, minute, percent } from "./format.js";
import { HOT } from "./fleet.js";

const SVG = "http://www.w3.org/2000/svg";
const PAD = { left: 46, right: 12, top: 12, bottom: 24 };
const AHEAD_MS = 300_000;
/** A longer silence than this breaks a line. */
const GAP_MS = 150_000;
const LINES = ["cpu", "memory", "quota"];

export class Chart {
  /** `onRead(point)` is called with the values under the cursor, or the latest ones. */
  constructor(root, onRead) {
    this.root = root;
    this.onRead = onRead;
    this.view = null;
    this.spanMs = 3_600_000;
    this.cursor = null;
    this.svg = add(root, "svg", { class: "plot", "aria-hidden": "true", focusable: "false" });
    this.parts = {};
    for (const name of ["future", "grid", "lead", "band", "next", "base", "threshold", "memory", "cpu", "path", "quota", "now", "cross", "labels"]) {
      this.parts[name] = add(this.svg, "g", { class: name });
    }
    root.tabIndex = 0;
    root.setAttribute("role", "slider");
    root.setAttribute("aria-label", "Moment of the chart; arrow keys move it");
    root.addEventListener("pointermove", (event) => this.#pointAt(event));
    root.addEventListener("pointerleave", () => this.#moveTo(null));
    root.addEventListener("blur", () => this.#moveTo(null));
    root.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.draw()).observe(root);
  }

  /** Takes the server's view of a node. */
  update(view) {
    if (this.view && this.view.id !== view.id) this.cursor = null;
    this.view = view;
    this.draw();
  }

  /** Draws what is known into the room there is. */
  draw() {
    const { view } = this;
    const [width, height] = [this.root.clientWidth, this.root.clientHeight];
    if (!view || view.points.t.length === 0 || width < 80 || height < 80) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const now = Math.max(view.t, view.points.t.at(-1));
    const from = now - this.spanMs;
    const first = view.points.t.findIndex((t) => t >= from);
    const p = Object.fromEntries(Object.entries(view.points).map(([name, values]) => [name, values.slice(first)]));
    const top = ceiling(p, view.next);
    const x = (t) => PAD.left + ((t - from) / (this.spanMs + AHEAD_MS)) * (width - PAD.left - PAD.right);
    const y = (load) => height - PAD.bottom - (load / top) * (height - PAD.top - PAD.bottom);
    Object.assign(this, { shown: p, scale: { x, y, from, now, top, width, height } });
    this.#axes();
    this.#past();
    this.#next();
    this.#lead();
    this.#read();
  }

  #axes() {
    const { x, y, from, now, top, width, height } = this.scale;
    const step = top > 1.6 ? 0.5 : 0.25;
    const right = width - PAD.right;
    const bottom = height - PAD.bottom;
    const grid = fresh(this.parts.grid);
    const labels = fresh(this.parts.labels);
    for (let load = 0; load <= top + 1e-9; load += step) {
      add(grid, "path", { d: `M${PAD.left} ${r(y(load))}H${right}` });
      text(labels, percent(load), PAD.left - 8, y(load) + 4, "end");
    }
    const every = this.spanMs <= 1_800_000 ? 300_000 : this.spanMs <= 3_600_000 ? 600_000 : 1_800_000;
    const wide = width < 480 ? every * 2 : every;
    for (let t = Math.ceil(from / wide) * wide; t <= now; t += wide) {
      add(grid, "path", { d: `M${r(x(t))} ${bottom}v4` });
      if (x(t) > PAD.left + 14 && x(t) < x(now) - 22) text(labels, minute(t), x(t), height - 6, "middle");
    }
    text(labels, "now", x(now), height - 6, "middle", "strong");
    add(fresh(this.parts.base), "path", { d: `M${PAD.left} ${r(y(1))}H${right}` });
    text(labels, "base quota", PAD.left + 6, y(1) - 5, "start");
    add(fresh(this.parts.threshold), "path", { d: `M${PAD.left} ${r(y(HOT))}H${right}` });
    text(labels, "hot above 80\u202f%", PAD.left + 6, y(HOT) - 5, "start", "hot");
    add(fresh(this.parts.future), "rect", { x: r(x(now)), y: PAD.top, width: r(right - x(now)), height: bottom - PAD.top });
    add(fresh(this.parts.now), "path", { d: `M${r(x(now))} ${PAD.top}V${bottom}` });
  }

  #past() {
    const { x, y } = this.scale;
    const { t } = this.shown;
    for (const name of LINES) {
      const d = line(t, this.shown[name], x, y, name === "quota");
      const group = fresh(this.parts[name]);
      if (name === "quota") add(group, "path", { d, class: "halo" });
      add(group, "path", { d, "data-series": name });
    }
    add(fresh(this.parts.band), "path", { d: band(t, this.shown.p50, this.shown.p90, x, y), "data-series": "band" });
  }

  #next() {
    const box = fresh(this.parts.next);
    const path = fresh(this.parts.path);
    const { next, load } = this.view;
    const { x, y } = this.scale;
    if (!next || !known(next.p50)) return;
    const [left, right] = [x(next.t), x(next.t + AHEAD_MS)];
    const [low, high] = [y(next.p50), y(Math.max(next.p90, next.p50))];
    add(box, "rect", { x: r(left), y: r(high), width: r(right - left), height: Math.max(r(low - high), 1.5) });
    const steps = next.path.map((value, i) => [next.t + (i + 1) * 60_000, value]).filter(([, value]) => known(value));
    const d = [[next.t, load], ...steps].map(([t, value], i) => `${i ? "L" : "M"}${r(x(t))} ${r(y(value))}`).join("");
    add(path, "path", { d, "data-resource": next.resource });
  }

  /** From the raise to the rise, along the foot of the chart. */
  #lead() {
    const group = fresh(this.parts.lead);
    const { raise, t } = this.view;
    if ((raise.state !== "a" && raise.state !== "c") || raise.at === null) return;
    const { x, from, height } = this.scale;
    const end = raise.at + (raise.lead_ms ?? Math.min(t - raise.at, AHEAD_MS));
    if (end < from) return;
    const [left, right] = [Math.max(x(raise.at), PAD.left), x(end)];
    const foot = height - PAD.bottom;
    add(group, "rect", { x: r(left), y: PAD.top, width: Math.max(r(right - left), 1), height: foot - PAD.top });
    const words = raise.lead_ms === null ? "raised ahead" : `raised ${duration(raise.lead_ms)} ahead`;
    const before = left - PAD.left > 140;
    text(group, `▲ ${words}`, before ? left - 6 : right + 6, foot - 8, before ? "end" : "start");
  }

  #pointAt(event) {
    if (!this.scale) return;
    const box = this.root.getBoundingClientRect();
    const { width } = this.scale;
    const share = (event.clientX - box.left - PAD.left) / (width - PAD.left - PAD.right);
    this.#moveTo(this.scale.from + share * (this.spanMs + AHEAD_MS));
  }

  #key(event) {
    if (!this.scale) return;
    const { t } = this.shown;
    const at = this.cursor === null ? t.length - 1 : nearest(t, this.cursor);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at - 10, PageDown: at + 10, Home: 0, End: t.length - 1 }[event.key];
    if (event.key !== "Escape" && to === undefined) return;
    event.preventDefault();
    this.#moveTo(event.key === "Escape" ? null : t[Math.min(Math.max(to, 0), t.length - 1)]);
  }

  #moveTo(t) {
    this.cursor = t;
    if (this.scale) this.#read();
  }

  /** Says the values at the cursor, or the latest. */
  #read() {
    const { x, from, now, width, height } = this.scale;
    const p = this.shown;
    const held = this.cursor !== null && this.cursor >= from;
    const i = held ? nearest(p.t, this.cursor) : p.t.length - 1;
    const cross = fresh(this.parts.cross);
    if (held) {
      const late = x(p.t[i]) > width / 2;
      add(cross, "path", { d: `M${r(x(p.t[i]))} ${PAD.top}V${height - PAD.bottom}` });
      text(cross, clock(p.t[i]), x(p.t[i]) + (late ? -6 : 6), PAD.top + 10, late ? "end" : "start", "strong");
    }
    const point = { t: p.t[i], cpu: p.cpu[i], memory: p.memory[i], p50: p.p50[i], p90: p.p90[i], quota: p.quota[i] };
    for (const [name, value] of Object.entries({ "aria-valuemin": from, "aria-valuemax": now, "aria-valuenow": point.t })) {
      this.root.setAttribute(name, value);
    }
    this.root.setAttribute("aria-valuetext", `${clock(point.t)}: CPU ${percent(point.cpu)}, memory ${percent(point.memory)}, `
      + `peak expected ${percent(point.p50)}, quota ${percent(point.quota)}`);
    this.onRead(point);
  }
}

/** Top of the load axis: room for all, in steps of a quarter, so that it does not tremble. */
function ceiling(p, next) {
  const most = [...p.cpu, ...p.memory, ...p.p90, ...p.quota, next?.p90].filter(known).reduce((a, b) => Math.max(a, b), 1);
  return Math.ceil((most + 0.06) * 4) / 4;
}

/** A path through known values; as steps, or from point to point. */
function line(t, values, x, y, steps) {
  let d = "";
  let last = null;
  values.forEach((value, i) => {
    if (!known(value)) return;
    const at = `${r(x(t[i]))} ${r(y(value))}`;
    if (last === null || t[i] - last > GAP_MS) d += `M${at}`;
    else d += steps ? `H${r(x(t[i]))}V${r(y(value))}` : `L${at}`;
    last = t[i];
  });
  return d;
}

/** The areas between two rows of values. */
function band(t, low, high, x, y) {
  const runs = [];
  let last = null;
  t.forEach((at, i) => {
    if (!known(low[i]) || !known(high[i])) return;
    if (last === null || at - last > GAP_MS) runs.push([]);
    runs.at(-1).push(i);
    last = at;
  });
  return runs.map((run) => {
    const up = run.map((i) => `${r(x(t[i]))} ${r(y(high[i]))}`);
    const down = run.toReversed().map((i) => `${r(x(t[i]))} ${r(y(low[i]))}`);
    return `M${[...up, ...down].join("L")}Z`;
  }).join("");
}

function nearest(times, t) {
  return times.reduce((best, at, i) => (Math.abs(at - t) < Math.abs(times[best] - t) ? i : best), 0);
}

const r = (value) => Math.round(value * 10) / 10;

function add(parent, name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

function fresh(group) {
  group.replaceChildren();
  return group;
}

function text(parent, words, x, y, anchor, look = "") {
  add(parent, "text", { x: r(x), y: r(y), "text-anchor": anchor, class: look }).textContent = words;
}
