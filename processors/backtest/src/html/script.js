// Reads a chart's values under the pointer or, with the arrow keys, under the cursor.
for (const svg of document.querySelectorAll("svg[data-chart]")) {
  const chart = JSON.parse(svg.dataset.chart);
  const cursor = svg.querySelector(".cursor");
  const out = svg.parentElement.querySelector("output");
  let at = -1;
  const show = (index) => {
    at = Math.max(0, Math.min(chart.t.length - 1, index));
    cursor.setAttribute("x1", chart.x[at]);
    cursor.setAttribute("x2", chart.x[at]);
    cursor.style.visibility = "visible";
    const time = new Date(chart.t[at]).toISOString().slice(0, 16).replace("T", " ");
    const value = (name) => chart[name][at].toFixed(3);
    out.textContent = `${time} UTC: peak that came ${value("peak")}, forecast ${value("p50")} to ${value("p90")}, quota ${value("quota")}`;
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    let best = 0;
    chart.x.forEach((place, index) => { if (Math.abs(place - x) < Math.abs(chart.x[best] - x)) best = index; });
    show(best);
  });
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -1e9, End: 1e9 }[event.key];
    if (step) { event.preventDefault(); show(at + step); }
  });
}
