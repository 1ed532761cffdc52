// The photo on the screen: before | after, strokes, zoom and pan; pointer and arrow keys become places in the photo.
// Places are [x, y], shares of the photo's width and height.

import { toLab } from "./colour.js";
import { drawRegion } from "./regions.js";

const HANDLE = 14; // screen pixels around the line between before and after
const MOST_POINTS = { stroke: 300, region: 1000 };
const clamp = (v, low, high) => Math.min(high, Math.max(low, v));

export class View {
  split = 0;
  tool = "brush";
  radius = 0.024; // of the brush, share of the short side
  colour = "#888888"; // of the brush
  strokes = [];
  selected = -1;
  regions = []; // { kind, polygon }
  regionKind = "only"; // of the next one
  corners = []; // of a region that is set by keyboard
  on = {}; // stroke(points), region(points), erase(place), look(place), split(share)

  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.pointers = new Map();
    this.path = null;
    this.cursor = null;
    for (const [name, handler] of [
      ["pointerdown", this.#down], ["pointermove", this.#move], ["pointerup", this.#up], ["pointercancel", this.#cancel],
      ["pointerleave", () => { this.cursor = null; this.draw(); }], ["wheel", this.#wheel], ["keydown", this.#key],
      ["contextmenu", (event) => event.preventDefault()],
    ]) canvas.addEventListener(name, handler.bind(this), { passive: false });
    new ResizeObserver(() => this.#resize()).observe(canvas);
  }

  // A photo as it came; its colours follow by `after`.
  show(before) {
    this.before = before;
    this.after = null;
    const still = new OffscreenCanvas(before.width, before.height).getContext("2d", { willReadFrequently: true });
    still.drawImage(before, 0, 0);
    this.pixels = still.getImageData(0, 0, before.width, before.height).data;
    this.fit();
  }

  hide() { this.before = this.after = null; this.draw(); }

  lightness([x, y]) {
    const column = Math.min(this.before.width - 1, Math.floor(x * this.before.width));
    const row = Math.min(this.before.height - 1, Math.floor(y * this.before.height));
    const at = 4 * (row * this.before.width + column);
    return toLab(this.pixels.slice(at, at + 3))[0];
  }

  // The painted colour of a place, sRGB.
  painted([x, y]) {
    const source = this.after ?? this.before;
    const one = new OffscreenCanvas(1, 1).getContext("2d");
    one.drawImage(source, Math.min(source.width - 1, Math.floor(x * source.width)), Math.min(source.height - 1, Math.floor(y * source.height)), 1, 1, 0, 0, 1, 1);
    return [...one.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  }

  fit() {
    if (!this.before) return;
    const { width, height } = this.canvas;
    const edge = 14 * devicePixelRatio;
    this.scale = Math.min((width - 2 * edge) / this.before.width, (height - 2 * edge) / this.before.height);
    this.least = this.scale * 0.5;
    this.x = (width - this.scale * this.before.width) / 2;
    this.y = (height - this.scale * this.before.height) / 2;
    this.draw();
  }

  zoom(factor, at) {
    if (!this.before) return;
    const scale = clamp(this.scale * factor, this.least, this.least * 40);
    this.x = at[0] - (at[0] - this.x) * (scale / this.scale);
    this.y = at[1] - (at[1] - this.y) * (scale / this.scale);
    this.scale = scale;
    this.draw();
  }

  draw() {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => { this.drawing = 0; this.#drawNow(); });
  }

  #drawNow() {
    const { context: c, canvas, before, after } = this;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    if (!before) return;
    const [width, height] = [before.width * this.scale, before.height * this.scale];
    c.imageSmoothingQuality = "high";
    c.drawImage(after ?? before, this.x, this.y, width, height);
    const line = this.x + this.split * width;
    if (after && this.split > 0) {
      c.save();
      c.beginPath();
      c.rect(this.x, this.y, this.split * width, height);
      c.clip();
      c.drawImage(before, this.x, this.y, width, height);
      c.restore();
    }
    if (after) this.#drawLine(line, height);
    const onScreen = (places) => places.map((place) => this.toScreen(place));
    this.regions.forEach(({ kind, polygon }) => drawRegion(c, onScreen(polygon), kind));
    this.strokes.forEach((stroke, index) => this.#drawStroke(stroke, index === this.selected));
    if (this.corners.length) drawRegion(c, onScreen([...this.corners, this.cursor ?? this.corners[0]]), this.regionKind, true);
    if (this.path && this.mode === "region") drawRegion(c, onScreen(this.path), this.regionKind, true);
    else if (this.path) this.#drawPath(this.path, this.colour, 0.75);
    if (this.cursor && ["brush", "neutral", "vivid", "region", "eraser"].includes(this.tool)) this.#drawCursor();
  }

  #drawLine(line, height) {
    const c = this.context, ratio = devicePixelRatio;
    c.fillStyle = "#fffd";
    if (this.split > 0) c.fillRect(line - ratio, this.y, 2 * ratio, height);
    c.beginPath();
    c.arc(line, this.y + height / 2, 11 * ratio, 0, 7);
    c.shadowColor = "#0008";
    c.shadowBlur = 5 * ratio;
    c.fill();
    c.shadowBlur = 0;
    c.strokeStyle = "#333";
    c.lineWidth = 1.6 * ratio;
    c.beginPath();
    for (const side of [-1, 1]) {
      c.moveTo(line + side * 3 * ratio, this.y + height / 2 - 4 * ratio);
      c.lineTo(line + side * 7 * ratio, this.y + height / 2);
      c.lineTo(line + side * 3 * ratio, this.y + height / 2 + 4 * ratio);
    }
    c.stroke();
  }

  #drawStroke(stroke, selected) {
    const c = this.context, ratio = devicePixelRatio, colour = stroke.rgb ?? "#888888";
    if (selected && stroke.points.length > 1) {
      c.beginPath();
      stroke.points.forEach((place) => c.lineTo(...this.toScreen(place)));
      c.lineJoin = c.lineCap = "round";
      c.setLineDash([5 * ratio, 5 * ratio]);
      c.lineWidth = 1.5 * ratio;
      c.strokeStyle = "#fff";
      c.stroke();
      c.setLineDash([]);
    }
    c.beginPath();
    c.arc(...this.toScreen(stroke.points[0]), (selected ? 6 : 4.5) * ratio, 0, 7);
    c.fillStyle = colour;
    c.fill();
    c.lineWidth = 2 * ratio;
    c.strokeStyle = "#fff";
    c.stroke();
    c.lineWidth = 0.7 * ratio;
    c.strokeStyle = "#000b";
    c.stroke();
  }

  #drawPath(points, colour, alpha) {
    const c = this.context;
    c.globalAlpha = alpha;
    c.strokeStyle = colour;
    c.lineJoin = c.lineCap = "round";
    c.lineWidth = 2 * this.#brush();
    c.beginPath();
    points.forEach((place) => c.lineTo(...this.toScreen(place)));
    if (points.length === 1) c.lineTo(...this.toScreen(points[0]));
    c.stroke();
    c.globalAlpha = 1;
  }

  #drawCursor() {
    const c = this.context, [x, y] = this.toScreen(this.cursor);
    const size = this.tool === "eraser" ? 8 * devicePixelRatio : this.tool === "region" ? 3 * devicePixelRatio : Math.max(2, this.#brush());
    for (const [colour, width] of [["#0008", 3], ["#fff", 1.3]]) {
      c.beginPath();
      c.arc(x, y, size, 0, 7);
      c.strokeStyle = colour;
      c.lineWidth = width * devicePixelRatio;
      c.stroke();
    }
  }

  #brush() { return this.radius * Math.min(this.before.width, this.before.height) * this.scale; }
  toScreen([x, y]) { return [this.x + x * this.before.width * this.scale, this.y + y * this.before.height * this.scale]; }

  #toPlace([x, y]) {
    return [(x - this.x) / (this.before.width * this.scale), (y - this.y) / (this.before.height * this.scale)];
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * devicePixelRatio, (event.clientY - box.top) * devicePixelRatio];
  }

  #resize() {
    const box = this.canvas.getBoundingClientRect();
    this.canvas.width = Math.max(1, Math.round(box.width * devicePixelRatio));
    this.canvas.height = Math.max(1, Math.round(box.height * devicePixelRatio));
    this.fit();
    this.#drawNow();
  }

  #down(event) {
    if (!this.before) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.#at(event), place = this.#toPlace(at);
    this.pointers.set(event.pointerId, at);
    if (this.pointers.size > 1) { // two fingers move and zoom; what one had begun is no stroke
      this.path = null;
      this.mode = "pinch";
    } else if (this.after && this.#onLine(at)) {
      this.mode = "split";
    } else if (this.tool === "hand" || event.button > 0 || this.space) {
      this.mode = "pan";
    } else if (place.every((side) => side >= 0 && side <= 1)) {
      this.mode = this.tool;
      if (this.tool === "look") this.on.look?.(place);
      else if (this.tool === "eraser") this.on.erase?.(place);
      else this.path = [place];
    } else this.mode = "pan";
    this.draw();
  }

  #onLine([x, y]) {
    const line = this.x + this.split * this.before.width * this.scale, middle = this.y + this.before.height * this.scale / 2;
    const near = HANDLE * devicePixelRatio;
    return Math.abs(x - line) < near && (Math.abs(y - middle) < near || (this.split > 0 && Math.abs(x - line) < near / 3));
  }

  #move(event) {
    if (!this.before) return;
    const at = this.#at(event);
    this.cursor = this.#toPlace(at);
    const before = this.pointers.get(event.pointerId);
    if (before) {
      if (this.mode === "pinch") this.#pinch(event.pointerId, at);
      else if (this.mode === "pan") { this.x += at[0] - before[0]; this.y += at[1] - before[1]; }
      else if (this.mode === "split") this.on.split?.(clamp(this.cursor[0], 0, 1));
      else if (this.mode === "eraser") this.on.erase?.(this.cursor);
      else if (this.mode === "look") this.on.look?.(this.cursor.map((side) => clamp(side, 0, 1)), true);
      else if (this.path) this.#extend(event);
      this.pointers.set(event.pointerId, at);
    }
    const hand = this.tool === "hand" || this.space || this.mode === "pan" && before;
    this.canvas.style.cursor = this.after && this.#onLine(at) ? "ew-resize" : hand ? "grab" : ["look", "region"].includes(this.tool) ? "crosshair" : "none";
    this.draw();
  }

  #extend(event) {
    const region = this.mode === "region", most = MOST_POINTS[region ? "region" : "stroke"];
    const apart = region ? 3 * devicePixelRatio : Math.max(1.5 * devicePixelRatio, this.#brush() / 4);
    for (const one of event.getCoalescedEvents?.() ?? [event]) {
      const at = this.#at(one), last = this.toScreen(this.path.at(-1));
      const place = this.#toPlace(at).map((side) => clamp(side, 0, 1));
      if (Math.hypot(at[0] - last[0], at[1] - last[1]) >= apart && this.path.length < most) this.path.push(place);
    }
  }

  #pinch(pointer, at) {
    const [other] = [...this.pointers].filter(([id]) => id !== pointer).map(([, place]) => place);
    const before = this.pointers.get(pointer);
    if (!other) return;
    const [was, is] = [before, at].map((one) => Math.hypot(one[0] - other[0], one[1] - other[1]));
    const middle = [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2];
    this.x += (at[0] - before[0]) / 2;
    this.y += (at[1] - before[1]) / 2;
    if (was > 0) this.zoom(is / was, middle);
  }

  #up(event) {
    this.pointers.delete(event.pointerId);
    if (this.pointers.size) return;
    const { path, mode } = this;
    this.path = null;
    this.mode = "";
    const rounded = path?.map((place) => place.map((side) => Math.round(1e5 * side) / 1e5));
    if (path) (mode === "region" ? this.on.region : this.on.stroke)?.(rounded);
    this.draw();
  }

  #cancel(event) {
    this.pointers.delete(event.pointerId);
    this.path = null;
    this.draw();
  }

  #wheel(event) {
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), this.#at(event));
  }

  // Without a mouse: arrows move the brush, Enter paints a dot (or erases, or looks).
  #key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!this.before || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps) {
      const step = event.shiftKey ? 0.05 : 0.01, [x, y] = this.cursor ?? [0.5, 0.5];
      this.cursor = [clamp(x + step * steps[event.key][0], 0, 1), clamp(y + step * steps[event.key][1], 0, 1)];
    } else if (event.key === "Enter") {
      const place = this.cursor ?? [0.5, 0.5];
      if (this.tool === "eraser") this.on.erase?.(place);
      else if (this.tool === "look") this.on.look?.(place);
      else if (this.tool === "region") this.#corner(place);
      else if (this.tool !== "hand") this.on.stroke?.([place]);
    } else if (event.key === "Escape") this.corners = [];
    else return;
    event.preventDefault();
    this.draw();
  }

  // One more corner of a region; the same place again, or the first one, closes it.
  #corner(place) {
    const same = (one) => one && Math.hypot(one[0] - place[0], one[1] - place[1]) < 1e-6;
    if (!same(this.corners[0]) && !same(this.corners.at(-1))) this.corners.push(place);
    else if (this.corners.length > 2) {
      this.on.region?.(this.corners);
      this.corners = [];
    }
  }
}
