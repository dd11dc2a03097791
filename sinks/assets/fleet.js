// The fleet at a glance: one square a node, filled to its load. A listbox for the keyboard: arrows move, Enter selects.

import { STATES, percent, raiseInWords, times } from "./format.js";

/** Load above which a node is hot; the server counts by the same threshold. */
export const HOT = 0.8;

/** Load above which a node is busy: a deeper tone, so that the next hot ones stand out. */
const BUSY = 0.6;

/** Squares are as large as lets all of them be seen at once, within these sides in pixels; a finger needs more room. */
const SIDE = { least: 11, leastForFingers: 24, most: 40 };
/** Height that the squares share, as long as they stay large enough. */
const HEIGHT = 262;

export class Fleet {
  /** `read` is the line that says in words what is under the pointer or the focus; `onSelect(id)` is called on a choice. */
  constructor(root, read, onSelect) {
    this.root = root;
    this.read = read;
    this.onSelect = onSelect;
    this.view = null;
    this.cells = [];
    this.active = 0;
    this.selected = null;
    this.pointed = -1;
    root.addEventListener("click", (event) => this.#choose(this.#indexOf(event.target)));
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener("focusin", (event) => this.#point(this.#indexOf(event.target)));
    root.addEventListener("pointerover", (event) => this.#point(this.#indexOf(event.target)));
    root.addEventListener("pointerleave", () => this.#point(-1));
    new ResizeObserver(() => this.#fit()).observe(root.parentElement);
  }

  /** Takes the server's fleet view. */
  update(view) {
    const sameNodes = this.view && this.view.ids.length === view.ids.length
      && view.ids.every((id, i) => id === this.view.ids[i]);
    const activeId = this.view?.ids[this.active];
    this.view = view;
    if (!sameNodes) this.#rebuild(activeId);
    this.cells.forEach((cell, i) => this.#paint(cell, i));
    this.#say();
  }

  /** Marks a node as the one shown beside the fleet. */
  select(id) {
    this.selected = id;
    const index = this.view ? this.view.ids.indexOf(id) : -1;
    if (index >= 0) this.#activate(index, false);
    this.cells.forEach((cell, i) => set(cell, "aria-selected", String(this.view.ids[i] === id)));
    this.#say();
  }

  /** The node a newcomer should see first: one raised ahead, else the hottest. */
  mostTelling() {
    const { ids, raise, load } = this.view;
    const ahead = raise.search(/[ac]/);
    if (ahead >= 0) return ids[ahead];
    return ids[load.indexOf(Math.max(...load))];
  }

  #rebuild(activeId) {
    const { ids } = this.view;
    const held = this.root.contains(document.activeElement);
    while (this.cells.length > ids.length) this.cells.pop().remove();
    while (this.cells.length < ids.length) {
      const cell = document.createElement("div");
      cell.className = "cell";
      cell.setAttribute("role", "option");
      this.cells.push(cell);
      this.root.append(cell);
    }
    this.cells.forEach((cell, i) => {
      cell.dataset.node = ids[i];
      cell.tabIndex = -1;
      set(cell, "aria-selected", String(ids[i] === this.selected));
    });
    this.#fit();
    const again = ids.indexOf(activeId ?? this.selected);
    if (ids.length > 0) this.#activate(Math.max(again, 0), held);
  }

  /** Chooses the side of a square for the room and the number of nodes. */
  #fit() {
    const { clientWidth: width } = this.root;
    if (width === 0 || this.cells.length === 0) return;
    const least = matchMedia("(pointer: coarse)").matches ? SIDE.leastForFingers : SIDE.least;
    let side = SIDE.most;
    const gap = () => (side > 16 ? 3 : 2);
    const rows = () => Math.ceil(this.cells.length / Math.floor((width + gap()) / (side + gap())));
    while (side > least && rows() * (side + gap()) > HEIGHT) side -= 1;
    this.root.style.setProperty("--side", `${side}px`);
    this.root.style.setProperty("--gap", `${gap()}px`);
  }

  #paint(cell, i) {
    const { load, state, raise, control } = this.view;
    const silent = state[i] === "S";
    const hot = !silent && load[i] > HOT;
    const fill = `${Math.round(Math.min(load[i], 1) * 100)}%`;
    if (cell.fill !== fill) {
      cell.fill = fill;
      cell.style.setProperty("--fill", fill);
    }
    set(cell, "data-look", silent ? "silent" : hot ? "hot" : load[i] > BUSY ? "busy" : "calm");
    set(cell, "data-raise", silent ? "-" : raise[i]);
    set(cell, "data-state", state[i]);
    set(cell, "data-control", control[i]);
    set(cell, "data-mark", mark(state[i], raise[i], hot));
    set(cell, "aria-label", this.#words(i));
  }

  #words(i) {
    const { ids, load, peak, quota, state, raise, control } = this.view;
    const parts = [ids[i], `load ${percent(load[i])}`];
    if (peak[i] !== null) parts.push(`expected peak ${percent(peak[i])}`);
    if (quota[i] !== null) parts.push(`quota ${times(quota[i])}`);
    const raised = raiseInWords(raise[i]);
    if (raised) parts.push(raised);
    if (state[i] !== "R") parts.push(STATES[state[i]][0].toLowerCase());
    if (control[i] === "c") parts.push("under an operator's control");
    return parts.join(", ");
  }

  #key(event) {
    const index = this.#indexOf(event.target);
    if (index < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const columns = getComputedStyle(this.root).gridTemplateColumns.split(" ").length;
    const last = this.cells.length - 1;
    const to = {
      ArrowLeft: index - 1,
      ArrowRight: index + 1,
      ArrowUp: index - columns,
      ArrowDown: index + columns,
      Home: 0,
      End: last,
      PageUp: index % columns,
      PageDown: last - ((last - index) % columns),
    }[event.key];
    if (event.key === "Enter" || event.key === " ") this.#choose(index);
    else if (to === undefined) return;
    else if (to >= 0 && to <= last) this.#activate(to, true);
    event.preventDefault();
  }

  /** Makes a square the one that Tab reaches. */
  #activate(index, focus) {
    if (this.cells[this.active]) this.cells[this.active].tabIndex = -1;
    this.active = index;
    const cell = this.cells[index];
    cell.tabIndex = 0;
    if (focus) cell.focus();
  }

  #choose(index) {
    if (index < 0) return;
    this.#activate(index, true);
    this.onSelect(this.view.ids[index]);
  }

  #point(index) {
    this.pointed = index;
    this.#say();
  }

  #say() {
    if (!this.view) return;
    const chosen = this.pointed >= 0 ? this.pointed : this.view.ids.indexOf(this.selected);
    this.read.textContent = chosen >= 0 && chosen < this.cells.length ? this.#words(chosen) : "";
  }

  #indexOf(target) {
    return this.cells.indexOf(target);
  }
}

/** A sign beside the colour. */
function mark(state, raise, hot) {
  if (state === "S") return "–";
  if (raise === "a") return "△";
  if (raise === "c") return "▲";
  if (hot) return "!";
  return state === "W" || state === "D" ? state : "";
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
