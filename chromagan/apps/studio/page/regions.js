// Parts of the photo that a person draws around: what alone is coloured, what keeps its own colours, what alone varies.

const $ = (name) => document.getElementById(name);
const NAMES = { only: "Only here", keep: "Own colours kept", vary: "Varies here" };
const DASHES = { only: [], keep: [8, 5], vary: [2, 5] };
const LEAST = 60; // screen pixels squared that a part has

// Places on the screen in order; open while it is being drawn.
export function drawRegion(context, spots, kind, open = false) {
  const c = context, ratio = devicePixelRatio;
  c.beginPath();
  spots.forEach((spot) => c.lineTo(...spot));
  if (!open) c.closePath();
  c.lineJoin = c.lineCap = "round";
  for (const [colour, width, dash] of [["#000a", 3.4, []], ["#fff", 1.6, DASHES[kind].map((side) => side * ratio)]]) {
    c.strokeStyle = colour;
    c.lineWidth = width * ratio;
    c.setLineDash(dash);
    c.stroke();
  }
  c.setLineDash([]);
  if (open) return;
  const [x, y] = spots.reduce((top, spot) => (spot[1] < top[1] ? spot : top));
  c.font = `${12 * ratio}px system-ui, sans-serif`;
  const wide = c.measureText(NAMES[kind]).width + 10 * ratio;
  const left = Math.min(Math.max(4, x - wide / 2), c.canvas.width - wide - 4), top = Math.max(4, y - 22 * ratio);
  c.fillStyle = "#000b";
  c.fillRect(left, top, wide, 18 * ratio);
  c.fillStyle = "#fff";
  c.fillText(NAMES[kind], left + 5 * ratio, top + 13 * ratio);
}

const area = (spots) => Math.abs(spots.reduce((sum, [x, y], place) => {
  const [u, v] = spots[(place + 1) % spots.length];
  return sum + (x * v - u * y) / 2;
}, 0));

function away([x, y], [a, b], [c, d]) { // of a spot from a line's nearest spot
  const along = Math.min(1, Math.max(0, ((x - a) * (c - a) + (y - b) * (d - b)) / ((c - a) ** 2 + (d - b) ** 2 || 1)));
  return Math.hypot(x - a - along * (c - a), y - b - along * (d - b));
}

export function makeRegions({ studio, change, say, view }) {
  const parts = () => Object.keys(NAMES).flatMap((kind) =>
    (studio.work?.now.regions[kind]?.polygons ?? []).map((polygon, place) => ({ kind, polygon, place })));

  function set(kind, polygons) {
    const { [kind]: gone, ...others } = studio.work.now.regions;
    change({ regions: polygons.length ? { ...others, [kind]: { polygons } } : others });
  }
  const without = ({ kind, place }) => set(kind, studio.work.now.regions[kind].polygons.toSpliced(place, 1));

  for (const radio of document.querySelectorAll("[name=region-kind]")) {
    radio.onchange = () => { view.regionKind = radio.value; refresh(); };
  }

  function add(polygon) {
    if (polygon.length < 3 || area(polygon.map((place) => view.toScreen(place))) < LEAST) {
      say("Draw all around a part of the photo, back to where you began");
      return;
    }
    set(view.regionKind, [...(studio.work.now.regions[view.regionKind]?.polygons ?? []), polygon]);
  }

  // Whether there was one whose line runs there.
  function erase(place) {
    const spot = view.toScreen(place), near = 8 * devicePixelRatio;
    const hit = parts().find(({ polygon }) => polygon.some((corner, at) =>
      away(spot, view.toScreen(corner), view.toScreen(polygon[(at + 1) % polygon.length])) < near));
    if (hit) without(hit);
    return Boolean(hit);
  }

  function note() {
    const { regions = {}, seed = null } = studio.work?.now ?? {};
    if ((regions.keep || view.regionKind === "keep") && studio.photo?.coloured === false) return "This photo has no colours of its own to keep.";
    if (regions.vary && regions.only) return "Variations differ where both regions are: outside of the coloured one nothing has a colour.";
    if (regions.vary && seed === null) return "Counts as soon as you pick one of the variations.";
    return "";
  }

  function refresh() {
    view.regions = parts();
    $("regions").replaceChildren(...view.regions.map((part) => {
      const button = document.createElement("button");
      button.textContent = `${NAMES[part.kind]} \u00d7`;
      button.title = "Take it away";
      button.className = "plain";
      button.onclick = () => without(part);
      return button;
    }));
    $("region-note").textContent = note();
  }

  return { add, erase, refresh };
}
