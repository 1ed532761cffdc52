// The colours that one lightness can show, as a plane of a and b; what is out of it cannot be picked.

import { fitted, hex, parse, shownAt, toLab, toRgb } from "./colour.js";

const SIDE = 200;

export class Picker {
  L = 60;
  ab = [30, 22];
  on = () => {}; // (rgb as #rrggbb, settled: whether the choice is made)

  constructor({ canvas, swatch, field, lightness }) {
    Object.assign(this, { canvas, swatch, field, label: lightness });
    this.context = canvas.getContext("2d");
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); this.#pick(event); });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) this.#pick(event); });
    canvas.addEventListener("pointerup", () => this.on(this.hex, true));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    field.addEventListener("change", () => {
      const rgb = parse(field.value.trim());
      if (rgb) { this.#choose(toLab(rgb).slice(1)); this.on(this.hex, true); } else this.draw();
    });
    this.draw();
  }

  get hex() { return hex(shownAt(this.L, this.ab)); }

  // The lightness of the place at hand.
  at(L) { this.L = Math.min(98, Math.max(3, L)); this.draw(); }

  // A colour from elsewhere: its hue and chroma, at the lightness at hand.
  take(text) { this.#choose(toLab(parse(text)).slice(1)); }

  #choose(ab) { this.ab = ab; this.draw(); }

  #key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const step = event.shiftKey ? 10 : 2;
    const [, ...inside] = fitted([this.L, ...this.ab]);
    this.#choose(fitted([this.L, ...inside.map((side, axis) => side + step * steps[event.key][axis])]).slice(1));
    this.on(this.hex, false);
  }

  #pick(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const wished = [(x - 0.5) * 2 * this.reach, (0.5 - y) * 2 * this.reach];
    this.#choose(fitted([this.L, ...wished]).slice(1));
    this.on(this.hex, false);
  }

  draw() {
    if (this.drawn !== Math.round(this.L)) this.#drawPlane();
    const c = this.context, ratio = this.canvas.width / SIDE;
    c.clearRect(0, 0, this.canvas.width, this.canvas.height);
    c.imageSmoothingQuality = "high";
    const on = ([a, b]) => [(a / this.reach / 2 + 0.5) * SIDE * ratio, (0.5 - b / this.reach / 2) * SIDE * ratio];
    c.save();
    c.beginPath();
    this.rim.forEach((ab) => c.lineTo(...on(ab)));
    c.clip();
    c.drawImage(this.plane, 0, 0, this.canvas.width, this.canvas.height);
    c.restore();
    const [x, y] = on(fitted([this.L, ...this.ab]).slice(1));
    for (const [colour, width] of [["#000a", 4], ["#fff", 2]]) {
      c.beginPath();
      c.arc(x, y, 8 * ratio, 0, 7);
      c.strokeStyle = colour;
      c.lineWidth = width * ratio;
      c.stroke();
    }
    this.swatch.style.background = this.hex;
    if (document.activeElement !== this.field) this.field.value = this.hex;
    this.label.textContent = `L ${Math.round(this.L)}`;
  }

  #drawPlane() {
    const ratio = Math.min(2, devicePixelRatio);
    this.canvas.width = this.canvas.height = SIDE * ratio;
    this.drawn = Math.round(this.L);
    // As near as the gamut at this lightness allows; its rim, as seen from gray.
    this.rim = [];
    for (let turn = 0; turn < 180; turn++) {
      const angle = turn / 180 * 2 * Math.PI;
      this.rim.push(fitted([this.L, 140 * Math.cos(angle), 140 * Math.sin(angle)]).slice(1));
    }
    this.reach = Math.max(12, 1.06 * Math.max(...this.rim.flat().map(Math.abs)));
    const fine = 100;
    this.plane ??= new OffscreenCanvas(fine, fine);
    const context = this.plane.getContext("2d"), image = context.createImageData(fine, fine);
    for (let row = 0, at = 0; row < fine; row++) {
      for (let column = 0; column < fine; column++, at += 4) {
        const ab = [((column + 0.5) / fine - 0.5) * 2 * this.reach, (0.5 - (row + 0.5) / fine) * 2 * this.reach];
        image.data.set(toRgb([this.L, ...ab], true), at);
        image.data[at + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
  }
}
