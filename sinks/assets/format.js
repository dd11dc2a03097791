// Numbers, times and durations in words; nothing here knows the page.

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const weekday = new Intl.DateTimeFormat("en-GB", { weekday: "short", timeZone: "UTC" });

/** Whether a value is known: the server writes null for "not known". */
export const known = (value) => typeof value === "number" && Number.isFinite(value);

/** 1234.5 → "1,235". */
export const count = (value) => (known(value) ? whole.format(value) : "–");

/** A rate or a latency: one decimal below 100, none above. */
export const measure = (value) => (known(value) ? (value < 100 ? one : whole).format(value) : "–");

/** 0.743 → "74 %", with a narrow space that does not break. */
export const percent = (value) => (known(value) ? `${whole.format(value * 100)}\u202f%` : "–");

/** 1.44 → "×1.44". */
export const times = (value) => (known(value) ? `×${value.toFixed(2)}` : "–");

/** Event time in milliseconds → "14:32:10", UTC. */
export const clock = (ms) => (known(ms) ? new Date(ms).toISOString().slice(11, 19) : "–");

/** Event time in milliseconds → "14:32", UTC. */
export const minute = (ms) => clock(ms).slice(0, 5);

/** Event time in milliseconds → "Mon 14:32:10". */
export const dayAndClock = (ms) => (known(ms) ? `${weekday.format(ms)} ${clock(ms)}` : "–");

/** 130000 → "2 min 10 s". */
export function duration(ms) {
  if (!known(ms)) return "–";
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const rest = seconds % 60;
  if (minutes === 0) return `${rest}\u202fs`;
  return rest === 0 ? `${minutes}\u202fmin` : `${minutes}\u202fmin ${rest}\u202fs`;
}

/** What a state letter of the server stands for. */
export const STATES = {
  R: ["READY", "the model forecasts"],
  W: ["WARMING", "too little seen yet: a baseline forecasts"],
  D: ["DEMOTED", "for two hours the model was worse than the peak of the last 5 minutes, which forecasts now"],
  S: ["SILENT", "no report for 5 minutes"],
  "-": ["NO FORECAST", "no forecast yet"],
};

/** What a raise letter of the server stands for; "" where there is nothing to say. */
export function raiseInWords(letter, leadMs) {
  if (letter === "a") return "raised ahead of a rise";
  if (letter === "c") return known(leadMs) ? `raised ${duration(leadMs)} ahead of the rise` : "raised ahead, rise came";
  if (letter === "m") return "raised, no rise came";
  if (letter === "l") return "raised late, already hot";
  return "";
}
