// What a person has done to one photo, with all that came before: plain data, as the studio's requests have it.

const BLANK = { strokes: [], palette: null, references: [], regions: {}, saturation: 1, warmth: 0, seed: null };

export class Work {
  constructor(saved) {
    this.past = [];
    this.future = [];
    this.now = { ...BLANK, ...read(saved) };
    this.kept = this.now; // as it was last saved
    this.kind = "";
  }

  // Changes of one kind that follow each other (a slider, a drag in the picker) are undone together.
  change(values, kind = "") {
    if (!kind || kind !== this.kind) this.past.push(this.now);
    this.kind = kind;
    this.future = [];
    this.now = { ...this.now, ...values };
  }

  settle() { this.kind = ""; }
  undo() { return this.#step(this.past, this.future); }
  redo() { return this.#step(this.future, this.past); }
  open(saved) { this.change({ ...BLANK, saturation: this.now.saturation, warmth: this.now.warmth, ...read(saved) }); } // what it does not say stays
  clear() { this.change(BLANK); }
  get changed() { return this.now !== this.kept; }

  #step(from, to) {
    if (!from.length) return false;
    to.push(this.now);
    this.now = from.pop();
    this.kind = "";
    return true;
  }

  request() {
    const { strokes, palette, references, regions, saturation, warmth, seed } = this.now;
    const guidance = { strokes: strokes.map((stroke, order) => ({ ...stroke, order })), references, ...regions };
    if (palette?.colours.length) guidance.palette = palette;
    return { guidance, saturation, warmth, ...(seed === null ? {} : { variations: 1, seed }) };
  }
}

function read(saved) {
  if (!saved) return {};
  const { strokes = [], palette = null, references = [], ...regions } = saved.guidance ?? {};
  const { guidance, missing, ...settings } = saved; // saturation, warmth and seed, those that the file has
  const plain = strokes.map(({ applied, ...stroke }) => stroke); // what was met is found anew
  return { strokes: plain.toSorted((a, b) => (a.order ?? 0) - (b.order ?? 0)), palette, references, regions, ...settings };
}
