"use strict";
(() => {
  const svg = document.getElementById("latent");
  const told = document.getElementById("told");
  const ring = document.getElementById("ring");
  const { points, names } = JSON.parse(document.getElementById("points").textContent);
  const circles = [...svg.querySelectorAll("circle[data-k]")];
  const clusters = [...new Set(points.map((p) => p[2]))].sort((a, b) => a - b);
  const buttons = [...document.querySelectorAll(".legend button")];
  const FAR = 30; // from the pointer to a row that is told, in units of the map
  let at = -1;
  let only = null;

  function tell(i) {
    at = i;
    const [x, y, k, p, row] = points[i];
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    told.textContent = `Row ${row}: segment ${k}, ${names[k]}, with probability ${(100 * p).toFixed(1)}%`;
  }

  function show(k) {
    only = only === k ? null : k;
    circles.forEach((c) => c.classList.toggle("dim", only !== null && Number(c.dataset.k) !== only));
    buttons.forEach((b) => b.setAttribute("aria-pressed", String(Number(b.dataset.cluster) === only)));
  }

  function nearest(event) {
    const corner = svg.createSVGPoint();
    corner.x = event.clientX;
    corner.y = event.clientY;
    const { x, y } = corner.matrixTransform(svg.getScreenCTM().inverse());
    let best = -1;
    let far = FAR * FAR;
    points.forEach((p, i) => {
      const d = (p[0] - x) ** 2 + (p[1] - y) ** 2;
      if (d < far && (only === null || p[2] === only)) [best, far] = [i, d];
    });
    return best;
  }

  function step(by) {
    const k = at < 0 ? clusters[0] : points[at][2];
    const own = points.map((p, i) => i).filter((i) => points[i][2] === k);
    tell(own[(own.indexOf(at) + by + own.length) % own.length]);
  }

  function turn(by) {
    const here = at < 0 ? -1 : clusters.indexOf(points[at][2]);
    const k = clusters[(here + by + clusters.length) % clusters.length];
    tell(points.findIndex((p) => p[2] === k));
  }

  const keys = { ArrowRight: () => step(1), ArrowLeft: () => step(-1), ArrowDown: () => turn(1), ArrowUp: () => turn(-1) };
  svg.addEventListener("keydown", (event) => {
    if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  });
  svg.addEventListener("pointermove", (event) => {
    const i = nearest(event);
    if (i >= 0) tell(i);
  });
  buttons.forEach((b) => b.addEventListener("click", () => show(Number(b.dataset.cluster))));
})();
