// What a curve's value was at the second that is pointed at. Without it the report reads the same: there is a table.
const { seconds, charts } = JSON.parse(document.getElementById("seconds").textContent);

for (const figure of document.querySelectorAll(".chart")) {
  const plot = figure.querySelector(".plot");
  const pointer = figure.querySelector(".pointer");
  const readout = figure.querySelector(".readout");
  const lines = charts[figure.dataset.chart];
  const last = seconds.length - 1;

  plot.addEventListener("pointermove", ({ clientX }) => {
    const { left, width } = plot.getBoundingClientRect();
    const at = Math.round(Math.min(Math.max((clientX - left) / width, 0), 1) * last);
    const values = [...lines].reverse().map(([name, ...texts]) => (lines.length > 1 ? `${name} ${texts[at]}` : texts[at]));
    readout.textContent = `${seconds[at]}: ${values.join(", ")}`;
    pointer.style.left = `${(100 * at) / Math.max(last, 1)}%`;
    pointer.hidden = false;
  });
  plot.addEventListener("pointerleave", () => {
    pointer.hidden = true;
    readout.textContent = "";
  });
}
