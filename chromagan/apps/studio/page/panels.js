// What stands beside the brush: references, palette, variations, all photos.

import { ask } from "./api.js";

const $ = (name) => document.getElementById(name);

export function makePanels({ studio, change, receive, during, value, say, attempt, view }) {
  // Tabs

  const tabs = [...document.querySelectorAll("[role=tab]")];
  function turnTo(tab) {
    for (const one of tabs) {
      one.setAttribute("aria-selected", one === tab);
      one.tabIndex = one === tab ? 0 : -1;
      $(`tab-${one.dataset.tab}`).hidden = one !== tab;
    }
  }
  tabs.forEach((tab, place) => {
    tab.onclick = () => turnTo(tab);
    tab.onkeydown = ({ key }) => {
      const next = tabs[(place + { ArrowRight: 1, ArrowLeft: tabs.length - 1 }[key]) % tabs.length];
      if (next) { turnTo(next); next.focus(); }
    };
  });
  turnTo(tabs[0]);

  function swatch(colour, label, action) {
    const button = document.createElement("button");
    button.style.background = colour;
    button.title = label;
    button.setAttribute("aria-label", label);
    button.onclick = action;
    return button;
  }

  // References: photos of this desk, by their keys

  $("add-reference").onclick = () => $("reference-file").click();
  $("reference-file").onchange = async ({ target }) => {
    const files = [...target.files];
    target.value = "";
    const taken = await receive(files, "reference");
    if (!taken.length || !studio.work) return;
    const strength = value("reference-strength") / 100;
    change({ references: [...studio.work.now.references, ...taken.map(({ key }) => ({ file: key, strength }))] });
  };
  $("reference-strength").addEventListener("input", () => {
    const strength = value("reference-strength") / 100;
    if (studio.work?.now.references.length) change({ references: studio.work.now.references.map((one) => ({ ...one, strength })) }, "references");
  });

  let told = null;
  async function painted() {
    told = null;
    if (studio.work?.now.references.length) {
      const photo = studio.photo.key, found = await attempt(() => ask("told", { photo }));
      if (photo === studio.photo.key) told = found?.references;
    }
    references();
  }
  function references() {
    const { references } = studio.work?.now ?? { references: [] };
    $("references").replaceChildren(...references.map((reference, place) => {
      const button = document.createElement("button"), name = document.createElement("span");
      const photo = [...studio.references, ...studio.photos].find(({ key }) => key === reference.file);
      name.textContent = photo?.name ?? "a photo";
      button.title = "Take it away";
      if (photo?.preview) button.append(Object.assign(new Image(), { src: photo.preview, alt: "", onerror: ({ target }) => target.remove() }));
      const did = told?.[place];
      const words = document.createElement("span");
      words.textContent = did ? `trust ${Math.round(100 * did.score)} %, share ${Math.round(100 * did.share)} %` : "";
      button.append(name, " \u00d7", document.createElement("br"), words);
      button.onclick = () => change({ references: studio.work.now.references.filter((one) => one !== reference) });
      return button;
    }));
  }

  // Palette

  function setPalette(colours, kind, shares = []) {
    change({ palette: colours.length ? { colours, shares, strength: value("palette-strength") / 100 } : null }, kind);
  }
  $("add-colour").onclick = () => studio.work && setPalette([...(studio.work.now.palette?.colours ?? []), $("palette-new").value]);
  $("palette-of-reference").onclick = () => $("palette-file").click();
  $("palette-file").onchange = ({ target }) => attempt(async () => {
    const [photo] = await receive([...target.files].slice(0, 1), "reference");
    target.value = "";
    if (!photo || !studio.work) return;
    const { colours, shares } = await ask("palette", { photo: photo.key });
    setPalette(colours, "", shares);
  });
  $("palette-strength").addEventListener("input", () => {
    if (studio.work?.now.palette) setPalette(studio.work.now.palette.colours, "palette", studio.work.now.palette.shares);
  });
  function palette() {
    const colours = studio.work?.now.palette?.colours ?? [];
    $("palette").replaceChildren(...colours.map((colour, place) => swatch(colour, `Take ${colour} away`, () => setPalette(colours.toSpliced(place, 1)))));
  }

  // Variations

  let first = 1;
  $("vary").onclick = () => studio.photo && attempt(() => during(async () => {
    $("vary").disabled = true;
    try {
      const photo = studio.photo.key, work = { ...studio.work.request(), seed: first };
      delete work.variations;
      const { variations } = await ask("variations", { photo, work, count: 6 });
      first += 6;
      if (photo === studio.photo.key) gallery(variations);
      $("vary").textContent = "Show six others";
    } finally { $("vary").disabled = false; }
  }));
  $("unvary").onclick = () => change({ seed: null });
  function gallery(variations) {
    $("gallery").replaceChildren(...variations.map(({ seed, picture }) => {
      const button = document.createElement("button"), image = new Image(), words = document.createElement("span");
      image.src = picture;
      image.alt = `Variation ${seed}`;
      words.textContent = `number ${seed}`;
      button.dataset.seed = seed;
      button.append(image, words);
      button.onclick = () => change({ seed });
      return button;
    }));
    picked();
  }
  function picked() {
    const seed = studio.work?.now.seed ?? null;
    $("unvary").hidden = seed === null;
    for (const button of $("gallery").children) button.setAttribute("aria-pressed", Number(button.dataset.seed) === seed);
  }

  // All photos

  $("batch").onclick = () => attempt(async () => {
    const now = studio.work?.now ?? { saturation: 1, warmth: 0 };
    follow(await ask("batch", { work: { saturation: now.saturation, warmth: now.warmth } }));
  });
  $("batch-stop").onclick = () => attempt(async () => { await ask("batch-stop", {}); $("batch-note").textContent = "Stopping after the photos at hand\u2026"; });
  async function follow(state) {
    const skipped = state.skipped ? `, ${state.skipped} were before` : "";
    for (;;) {
      $("batch").disabled = state.running;
      $("batch-stop").hidden = !state.running;
      $("batch-bar").hidden = false;
      $("batch-bar").max = Math.max(1, state.total);
      $("batch-bar").value = state.done + state.failed;
      const failed = state.failed + state.refused;
      $("batch-note").textContent = `${state.done} of ${state.total} coloured${skipped}${failed ? `, ${failed} failed` : ""}${!state.running && state.stopped ? "; stopped" : ""}`;
      $("batch-errors").replaceChildren(...state.errors.map((words) => Object.assign(document.createElement("li"), { textContent: words })));
      if (!state.running) return;
      await new Promise((done) => setTimeout(done, 400));
      state = await ask("batch-state", {});
    }
  }

  return {
    painted,
    turnTo: (name) => turnTo(tabs.find((tab) => tab.dataset.tab === name)),
    refresh() { references(); palette(); picked(); $("vary").disabled = !studio.photo; $("batch").disabled = !studio.photos.length; },
    changed() { $("gallery").replaceChildren(); $("vary").textContent = "Show six"; },
  };
}
