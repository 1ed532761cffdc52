// The studio's page: one photo at hand, its work, and what the studio answers.

import { ask, enter, file, leave, picture, upload } from "./api.js";
import { hex } from "./colour.js";
import { makePanels } from "./panels.js";
import { Picker } from "./picker.js";
import { makeRegions } from "./regions.js";
import { View } from "./view.js";
import { Work } from "./work.js";

const $ = (name) => document.getElementById(name);
const view = new View($("photo"));
const picker = new Picker({ canvas: $("gamut"), swatch: $("swatch"), field: $("hex"), lightness: $("lightness") });
const works = new Map(); // by photo
const studio = { photos: [], references: [], photo: null, work: null };
Object.assign(window, { studio, studio_view: view }); // for whoever looks in from outside: the tests
Object.assign(studio, { answers: 0, painting: () => painting || busy.count > 0 });

// Words

let hiding = 0;
function say(words, wrong = false) {
  const toast = $("toast");
  toast.textContent = words;
  toast.className = wrong ? "wrong" : "";
  toast.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { toast.hidden = true; }, wrong ? 9000 : 4000);
}

async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    say(error.message, true);
    if (!("status" in error)) console.error(error);
  }
}

const busy = { count: 0 };
async function during(action) {
  $("busy").hidden = ++busy.count === 0;
  try { return await action(); } finally { $("busy").hidden = --busy.count === 0; }
}

// Painting: while one answer is on its way, the latest wish waits, and those between are never sent.

let wished = null, painting = false, shown = "";
async function show(asked) {
  const after = await attempt(() => picture("paint", asked));
  if (!after || asked.photo !== studio.photo?.key) return false;
  view.after = after;
  view.draw();
  return true;
}
async function paint() {
  wished = { photo: studio.photo.key, work: studio.work.request() };
  refresh();
  if (painting) return;
  painting = true;
  await during(async () => {
    while (wished) {
      const asked = wished;
      wished = null;
      // A network that is shown each stroke takes its time: first what can be said without it.
      const strokes = JSON.stringify([asked.photo, asked.work.guidance.strokes]);
      if (studio.photo.asked && view.after && strokes !== shown) await show({ ...asked, quick: true });
      if (wished) continue;
      if (await show(asked)) shown = strokes;
      if (!wished) panels.painted();
    }
  });
  painting = false;
  studio.answers += 1;
}

function change(values, kind) {
  studio.work?.change(values, kind);
  if (studio.work) paint();
}

function refresh() {
  const { work, photo } = studio;
  view.strokes = work?.now.strokes ?? [];
  view.selected = Math.min(view.selected, view.strokes.length - 1);
  $("undo").disabled = !work?.past.length;
  $("redo").disabled = !work?.future.length;
  for (const name of ["save", "save-hints", "open-hints", "clear", "fit", "split"]) $(name).disabled = !photo;
  $("title").textContent = photo ? photo.name + (work.changed ? " *" : "") : "";
  $("empty").hidden = studio.photos.length > 0;
  if (work) {
    for (const [name, value] of [["saturation", 100 * work.now.saturation], ["warmth", 100 * work.now.warmth]]) set(name, value);
  }
  panels.refresh();
  regions.refresh();
  view.draw();
}

// Photos

async function open(photo) {
  await attempt(() => during(async () => {
    const opened = await ask("open", { photo: photo.key });
    Object.assign(photo, { asked: opened.asked, coloured: opened.coloured });
    const before = await picture("before", { photo: photo.key });
    if (!works.has(photo.key)) works.set(photo.key, new Work(opened.saved));
    studio.photo = photo;
    studio.work = works.get(photo.key);
    view.selected = -1;
    view.show(before);
    if (opened.note) say(opened.note, true);
    if (opened.saved?.missing) say(`not here, and left out: ${opened.saved.missing.join(", ")}`, true);
    panels.changed();
    strip();
    await paint();
  }));
}

function strip() {
  $("strip").hidden = studio.photos.length < 2;
  $("strip").replaceChildren(...studio.photos.map((photo) => {
    const button = document.createElement("button");
    button.textContent = photo.name;
    button.setAttribute("role", "option");
    button.setAttribute("aria-selected", photo === studio.photo);
    button.onclick = () => open(photo);
    return button;
  }));
  $("strip").querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

async function receive(files, as = "photo") {
  const taken = [];
  for (const one of files) {
    const photo = await attempt(() => during(async () => {
      if (one.size > studio.limits.bytes) throw Object.assign(new Error(`${one.name} has more than ${studio.limits.bytes / 1e6} MB`), { status: 0 });
      return { ...await upload(one, as), preview: URL.createObjectURL(one) };
    }));
    if (photo) taken.push(photo);
  }
  (as === "photo" ? studio.photos : studio.references).push(...taken);
  strip();
  refresh();
  return taken;
}

async function choose(files) {
  const [first] = await receive(files);
  if (first) await open(first);
}

function step(by) {
  const place = studio.photos.indexOf(studio.photo) + by;
  if (studio.photos[place]) open(studio.photos[place]);
}

// The brush

async function look(place, moving) {
  picker.at(view.lightness(place));
  if (moving) return;
  const photo = studio.photo.key;
  const { colours } = await attempt(() => ask("suggest", { photo, x: place[0], y: place[1] })) ?? { colours: [] };
  $("suggested-by").textContent = "Likely here";
  $("suggestions").replaceChildren(...colours.map((colour) => {
    const button = document.createElement("button");
    button.style.background = colour;
    button.title = colour;
    button.setAttribute("aria-label", `Colour ${colour}`);
    button.onclick = () => { picker.take(colour); chosen(picker.hex, true); };
    return button;
  }));
}

// A colour was chosen: for the next stroke, and for the selected one.
function chosen(colour, settled) {
  view.colour = colour;
  const stroke = studio.work?.now.strokes[view.selected];
  if (stroke?.kind === "colour" && stroke.rgb !== colour) {
    change({ strokes: studio.work.now.strokes.with(view.selected, { ...stroke, rgb: colour }) }, "recolour");
  }
  if (settled) studio.work?.settle();
}

picker.on = chosen;
view.colour = picker.hex;

view.on = {
  stroke(points) {
    const tool = view.tool;
    picker.at(view.lightness(points[0]));
    const stroke = { kind: "colour", points, radius: view.radius, strength: value("strength") / 100 };
    if (tool === "brush") stroke.rgb = picker.hex;
    else if (tool === "neutral") stroke.kind = "neutral";
    else Object.assign(stroke, { kind: "saturation", strength: value("vividness") / 100 });
    view.selected = studio.work.now.strokes.length;
    change({ strokes: [...studio.work.now.strokes, stroke] });
    look(points[0]);
  },
  region: (points) => regions.add(points),
  erase(place) {
    const { width, height } = view.before, short = Math.min(width, height);
    const near = (stroke) => stroke.points.some(([x, y]) =>
      Math.hypot((x - place[0]) * width, (y - place[1]) * height) < Math.max(stroke.radius * short, 8 / view.scale * devicePixelRatio));
    const kept = studio.work.now.strokes.filter((stroke) => !near(stroke));
    if (kept.length < studio.work.now.strokes.length) {
      view.selected = -1;
      change({ strokes: kept });
    } else regions.erase(place);
  },
  look(place, moving) {
    const { strokes } = studio.work.now, { width, height } = view.before;
    look(place, moving);
    if (moving) return;
    // A stroke's dot is selected; elsewhere, the painted colour is taken up.
    view.selected = strokes.findLastIndex(({ points: [[x, y]] }) =>
      Math.hypot((x - place[0]) * width, (y - place[1]) * height) * view.scale < 12 * devicePixelRatio);
    picker.take(strokes[view.selected]?.rgb ?? hex(view.painted(place)));
    view.colour = picker.hex;
    view.draw();
  },
  split(share) { view.split = share; $("split").value = 1000 * share; },
};

function tool(name) {
  view.tool = name;
  view.corners = [];
  for (const button of document.querySelectorAll("#tools button")) button.setAttribute("aria-pressed", button.dataset.tool === name);
  $("vivid-row").hidden = name !== "vivid";
  if (name === "region") panels.turnTo("regions");
  else if (["brush", "neutral", "vivid"].includes(name)) panels.turnTo("colour");
  view.draw();
}

// Sliders: a value, and words for it

const WORDS = { radius: (v) => `${(v / 10).toFixed(1)} %`, warmth: (v) => (v > 0 ? `+${v}` : v) };
const value = (name) => Number($(name).value);
function set(name, number) {
  $(name).value = Math.round(number);
  const output = $(name).parentElement.querySelector("output");
  if (output) output.textContent = WORDS[name]?.(value(name)) ?? `${value(name)} %`;
}
for (const slider of document.querySelectorAll("aside input[type=range]")) {
  set(slider.id, slider.value);
  slider.addEventListener("input", () => set(slider.id, slider.value));
  slider.addEventListener("change", () => studio.work?.settle());
}
$("radius").addEventListener("input", () => { view.radius = value("radius") / 1000; view.draw(); });
$("saturation").addEventListener("input", () => change({ saturation: value("saturation") / 100 }, "saturation"));
$("warmth").addEventListener("input", () => change({ warmth: value("warmth") / 100 }, "warmth"));
$("split").addEventListener("input", () => { view.split = value("split") / 1000; view.draw(); });

const panels = makePanels({ studio, change, receive, during, value, say, attempt, view });
const regions = makeRegions({ studio, change, say, view });

// Work, kept

async function save() {
  await attempt(() => during(async () => {
    const { photo, work } = studio, saved = work.now;
    const done = await ask("save", { photo: photo.key, work: work.request() });
    if (photo.uploaded) hand(await file(photo.key), done.file);
    work.kept = saved;
    say(photo.uploaded ? `${done.file} is in your downloads` : `Saved as ${done.path}`);
    refresh();
  }));
}

async function saveHints() {
  await attempt(async () => {
    const done = await ask("save-hints", { photo: studio.photo.key, work: studio.work.request() });
    if (!done.path) hand(new Blob([done.text], { type: "application/json" }), done.file);
    studio.work.kept = studio.work.now;
    const moved = done.moved ? `; ${done.moved} colours cannot be shown that light or dark, and are as near as can be` : "";
    say((done.path ? `Hints saved as ${done.path}` : `${done.file} is in your downloads`) + moved);
    refresh();
  });
}

function hand(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function undo() { if (studio.work?.undo()) paint(); }
function redo() { if (studio.work?.redo()) paint(); }

// Buttons, files dropped, keys

const press = {
  undo, redo, save, "save-hints": saveHints, fit: () => view.fit(), clear: () => { studio.work.clear(); paint(); },
  open: () => $("files").click(), choose: () => $("files").click(), "open-hints": () => $("hints-file").click(),
};
for (const [name, action] of Object.entries(press)) $(name).onclick = action;
for (const button of document.querySelectorAll("#tools button")) button.onclick = () => tool(button.dataset.tool);
$("files").onchange = ({ target }) => { choose([...target.files]); target.value = ""; };
$("hints-file").onchange = async ({ target }) => {
  const [one] = target.files;
  const opened = one && await attempt(async () => ask("read-hints", { name: one.name, text: await one.text() }));
  target.value = "";
  if (opened) { studio.work.open(opened.work); view.selected = -1; panels.changed(); paint(); }
};
addEventListener("dragover", (event) => { event.preventDefault(); $("empty").classList.add("over"); });
addEventListener("dragleave", () => $("empty").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  $("empty").classList.remove("over");
  choose([...event.dataTransfer.files]);
});
addEventListener("beforeunload", (event) => { if ([...works.values()].some((work) => work.changed)) event.preventDefault(); });
addEventListener("pagehide", (event) => { if (!event.persisted) leave(); });

const KEYS = { b: "brush", n: "neutral", v: "vivid", r: "region", e: "eraser", i: "look", h: "hand" };
addEventListener("pointerdown", () => document.body.classList.remove("keys"), true);
addEventListener("keydown", (event) => {
  document.body.classList.add("keys");
  const typing = event.target.matches("input:not([type=range])"), control = event.ctrlKey || event.metaKey;
  if (control && !typing) {
    const action = { z: event.shiftKey ? redo : undo, y: redo, s: save }[event.key.toLowerCase()];
    if (action) { event.preventDefault(); if (studio.photo) action(); }
    return;
  }
  if (typing || control || event.altKey) return;
  if (KEYS[event.key]) tool(KEYS[event.key]);
  else if (event.key === "[" || event.key === "]") {
    set("radius", value("radius") * (event.key === "[" ? 0.8 : 1.25) + (event.key === "]"));
    $("radius").dispatchEvent(new Event("input"));
  } else if (event.key === "0") view.fit();
  else if (event.key === "+" || event.key === "-") view.zoom(event.key === "+" ? 1.25 : 0.8, [view.canvas.width / 2, view.canvas.height / 2]);
  else if (event.key === "PageDown" || event.key === "PageUp") { event.preventDefault(); step(event.key === "PageDown" ? 1 : -1); }
  else if (event.key === "x" && !event.repeat) { view.shown = view.split; view.on.split(1); view.draw(); }
  else if (event.key === " " && event.target === $("photo")) { event.preventDefault(); view.space = true; }
});
addEventListener("keyup", (event) => {
  if (event.key === " ") view.space = false;
  if (event.key === "x" && view.shown !== undefined) { view.on.split(view.shown); view.draw(); }
});

// The desk

view.radius = value("radius") / 1000;
refresh();
await attempt(async () => {
  const listing = await enter();
  Object.assign(studio, { photos: listing.photos, limits: listing.limits });
  refresh();
  if (studio.photos.length) await open(studio.photos[0]);
});
