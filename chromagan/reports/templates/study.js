"use strict";
const byId = (id) => document.getElementById(id);
const holder = byId("study");
const study = JSON.parse(holder.textContent);
holder.remove();

const PAIRS = study.mode === "pairs";
const SEQUENTIAL = PAIRS && study.presentation === "sequential";
const BLANK_MS = 900, GAP_MS = 600; // as in the page that the authors released
const GAP_PX = 20;
const slots = [...document.querySelectorAll(".slot")].map((box) => ({
  box, image: box.querySelector("img"), button: box.querySelector("button"), label: box.querySelector("span"),
}));
const choices = [...byId("choices").children];
const nextFrame = () => new Promise((done) => requestAnimationFrame(() => done(performance.now())));
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

let frameMs = 1000 / 60;
let disturbed = false; // the page was hidden or changed its size since this was last cleared
document.addEventListener("visibilitychange", () => { disturbed = true; });
window.addEventListener("resize", () => { disturbed = true; });

// ---- who takes part, and which schedule that is
const asked = new URLSearchParams(location.search).get("participant");
const valid = asked === null || /^[1-9][0-9]{0,8}$/.test(asked);
const random = crypto.getRandomValues(new Uint32Array(5));
const participant = asked !== null && valid ? Number(asked) : 1 + (random[0] % study.sessions.length);
const schedule = (participant - 1) % study.sessions.length;
const fields = ["phase", "kind", "photo", "method", "colorized_left", "shows_real"];
const trials = study.sessions[schedule].map((row) => Object.fromEntries(fields.map((name, i) => [name, row[i]])));
const practice = trials.filter((trial) => trial.phase === "practice").length;

const record = {
  format: "chromagan-study-result", format_version: 1,
  study: study.id, chromagan: study.chromagan, title: study.title, mode: study.mode, presentation: study.presentation,
  seed: study.seed, size: study.size, methods: study.methods,
  exposure_ms: study.exposure_ms, tolerance_ms: study.tolerance_ms,
  session: [...random.slice(1)].map((word) => word.toString(16).padStart(8, "0")).join(""),
  participant, participant_source: asked === null ? "random" : "address", schedule,
  started: null, finished: null,
  browser: navigator.userAgent, language: navigator.language,
  screen: null, trials_planned: trials.length, trials: [],
};

function screenNow() {
  const gamut = ["rec2020", "p3", "srgb"].find((name) => matchMedia(`(color-gamut: ${name})`).matches) || null;
  return {
    width: screen.width, height: screen.height, window_width: innerWidth, window_height: innerHeight,
    pixel_ratio: devicePixelRatio, color_depth: screen.colorDepth, color_gamut: gamut, frame_ms: round(frameMs),
    touch: navigator.maxTouchPoints > 0,
  };
}
const round = (number) => Math.round(number * 10) / 10;

// ---- layout: side by side; one above the other where a narrow screen is high enough; smaller pictures otherwise
function layOut() {
  const count = PAIRS ? 2 : 1;
  const wide = innerWidth - 16, high = innerHeight - (PAIRS ? 150 : 260);
  const inRow = Math.min(study.size, (wide - GAP_PX * (count - 1)) / count, high);
  const inColumn = Math.min(study.size, wide, (innerHeight - 190) / count);
  const column = PAIRS && inColumn > inRow;
  const shown = Math.max(48, Math.floor(column ? inColumn : inRow));
  byId("stage").className = column ? "column" : "row";
  document.documentElement.style.setProperty("--shown", `${shown}px`);
  return { layout: column ? "column" : "row", shown_px: shown };
}
// A finger is the main pointer: then nothing speaks of keys, and what is to be touched is larger. Some phones claim to
// hover, so that is not asked.
const anyPointer = (kind) => matchMedia(`(any-pointer: ${kind})`).matches;
const byTouch = matchMedia("(pointer: coarse)").matches || (navigator.maxTouchPoints > 0 && !anyPointer("fine"));
document.documentElement.classList.toggle("touch", byTouch);
const arrows = (before, first, second, after) => (byTouch ? [first, second] : [`${before} ${first}`, after === "\u2193" ? `${after} ${second}` : `${second} ${after}`]);
const names = (layout) => (layout === "column" ? arrows("\u2191", "Upper", "Lower", "\u2193") : arrows("\u2190", "Left", "Right", "\u2192"));

// ---- what a trial shows
const url = (photo, version) => study.pictures[`${photo}/${version}`];
function picturesOf(trial) {
  const made = trial.kind === "attention" ? "false" : trial.method;
  if (!PAIRS) return [url(trial.photo, trial.shows_real ? "real" : made)];
  const pair = [url(trial.photo, made), url(trial.photo, "real")];
  return trial.colorized_left ? pair : pair.reverse();
}

async function prepare(trial) {
  const pictures = picturesOf(trial);
  await Promise.all(pictures.map((source, i) => {
    slots[i].image.src = source;
    return slots[i].image.decode(); // no decoding may fall into the second that is measured
  }));
}

async function wait(milliseconds) {
  const start = performance.now(), ticks = [];
  let before = start, now = start;
  while (now - start < milliseconds) {
    now = await nextFrame();
    ticks.push(now - before);
    before = now;
  }
  if (ticks.length > 5) frameMs = median(ticks);
}

/** Show pictures for a second: from the frame that draws them to the frame that takes them away. */
async function expose(shown) {
  const start = await nextFrame();
  shown.forEach((slot) => { slot.image.style.visibility = "visible"; });
  let now = start;
  while (now - start < study.exposure_ms - Math.min(frameMs, 20) / 2) now = await nextFrame();
  shown.forEach((slot) => { slot.image.style.visibility = "hidden"; });
  return { ms: now - start, end: now };
}

/** The first answer by key, mouse or touch: 0 for the left (upper) one, 1 for the right (lower) one. */
function firstAnswer(buttons) {
  const keys = { ArrowLeft: 0, ArrowUp: 0, KeyF: 0, ArrowRight: 1, ArrowDown: 1, KeyJ: 1 };
  return new Promise((done) => {
    const listeners = new AbortController();
    const finish = (index, event, input) => {
      event.preventDefault();
      listeners.abort();
      done({ index, at: event.timeStamp, input });
    };
    document.addEventListener("keydown", (event) => {
      if (event.code in keys && !event.repeat && !event.ctrlKey && !event.altKey && !event.metaKey) {
        finish(keys[event.code], event, "key");
      }
    }, listeners);
    buttons.forEach((button, index) => button.addEventListener("click", (event) => {
      finish(index, event, event.detail === 0 ? "key" : event.pointerType || "mouse");
    }, listeners));
  });
}

function pressed(button) {
  button.focus({ preventScroll: true }); // the space bar presses it
  return new Promise((done) => button.addEventListener("click", done, { once: true }));
}

function visible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((done) => document.addEventListener("visibilitychange", done, { once: true })).then(visible);
}

async function runTrial(trial, number) {
  const isPractice = trial.phase === "practice";
  const total = isPractice ? practice : trials.length - practice;
  byId("progress").textContent = `${isPractice ? "Practice" : "Picture"} ${number} of ${total}`;
  byId("question").textContent = "";
  await Promise.all([visible(), prepare(trial)]);
  const place = layOut();
  await wait(BLANK_MS);
  disturbed = document.hidden;

  const exposures = [];
  let last;
  const groups = !PAIRS ? [[slots[0]]] : SEQUENTIAL ? [[slots[0]], [slots[1]]] : [slots];
  for (const [i, group] of groups.entries()) {
    if (i) await wait(GAP_MS);
    last = await expose(group);
    exposures.push(round(last.ms));
  }
  const interrupted = disturbed;

  const buttons = PAIRS ? slots.map((slot) => slot.button) : choices;
  const labels = PAIRS ? names(place.layout) : arrows("\u2190", "Real", "Computer", "\u2192");
  buttons.forEach((button, i) => { button.textContent = labels[i]; button.hidden = false; });
  byId("question").textContent = PAIRS ? "Which picture had colours made by a computer?" : "Were its colours real, or made by a computer?";
  const answer = await firstAnswer(buttons);
  buttons.forEach((button) => { button.hidden = true; });
  byId("question").textContent = "";

  const made = PAIRS ? (trial.colorized_left ? 0 : 1) : trial.shows_real ? 0 : 1;
  const inTime = exposures.every((ms) => Math.abs(ms - study.exposure_ms) <= study.tolerance_ms);
  record.trials.push({
    phase: trial.phase, kind: trial.kind, photo: study.photos[trial.photo],
    method: trial.method === null ? null : study.methods[trial.method],
    colorized_side: PAIRS ? (trial.colorized_left ? "left" : "right") : null,
    shown: PAIRS ? null : trial.shows_real ? "real" : "colorized",
    answer: PAIRS ? ["left", "right"][answer.index] : ["real", "colorized"][answer.index],
    reaction_ms: Math.max(0, round(answer.at - last.end)), input: answer.input,
    exposures_ms: exposures, interrupted, valid: inTime && !interrupted, ...place,
  });
  if (isPractice) await showFeedback(answer.index === made, made, trial);
}

async function showFeedback(right, made, trial) {
  const shown = PAIRS ? slots : [slots[0]];
  shown.forEach((slot, i) => {
    slot.image.style.visibility = "visible";
    slot.label.textContent = (PAIRS ? i === made : !trial.shows_real) ? "Computer" : "Real";
    slot.label.hidden = false;
  });
  byId("question").textContent = right ? "\u2713 Right" : "\u2717 Wrong";
  const next = document.createElement("button");
  next.className = "go";
  next.id = "next";
  next.textContent = byTouch ? "Next" : "Next (space bar)";
  byId("feedback").replaceChildren(next);
  await pressed(next);
  byId("feedback").replaceChildren();
  shown.forEach((slot) => { slot.image.style.visibility = "hidden"; slot.label.hidden = true; });
}

async function pause(title, text) {
  byId("stage").hidden = true;
  byId("between-title").textContent = title;
  byId("between-text").textContent = text;
  byId("between").hidden = false;
  await pressed(byId("continue"));
  byId("between").hidden = true;
  byId("stage").hidden = false;
}

function introduce() {
  const seconds = BLANK_MS + study.exposure_ms * (SEQUENTIAL ? 2 : 1) + (SEQUENTIAL ? GAP_MS : 0) + 1500;
  const minutes = Math.max(1, Math.round((trials.length * seconds + 30000) / 60000));
  byId("minutes").textContent = minutes > 1 ? `${minutes} minutes` : "one minute";
  byId("task").textContent = PAIRS
    ? "You will see pairs of pictures. One has the real colours of a photograph; the colours of the other were made by a computer program from the black-and-white version. Say which one the computer coloured. Made-up colours can look very plausible: where you cannot tell, guess."
    : "You will see pictures one at a time. Some have the real colours of a photograph; the colours of the others were made by a computer program from the black-and-white version. Say which it was. Made-up colours can look very plausible: where you cannot tell, guess.";
  byId("how").textContent = SEQUENTIAL
    ? "The pictures appear one after the other, each for one second, and vanish. Then you answer, in your own time."
    : `${PAIRS ? "Both pictures appear" : "Each picture appears"} for one second and ${PAIRS ? "vanish" : "vanishes"}. Then you answer, in your own time.`;
  byId("practice-count").textContent = practice ? `${practice} practice trial${practice > 1 ? "s" : ""} with feedback, then ${trials.length - practice} without. ` : `${trials.length} trials. `;
  const keys = PAIRS ? ["left", "right"] : ["real", "computer"];
  if (byTouch) byId("keys").textContent = `Answer by touching ${PAIRS ? "the place where the picture was" : "a button"}.`;
  else byId("keys").innerHTML = `Answer by touch, by mouse, or with the keys <kbd>\u2190</kbd> or <kbd>F</kbd> for ${keys[0]}, <kbd>\u2192</kbd> or <kbd>J</kbd> for ${keys[1]}; go on with the <kbd>space bar</kbd>.`;
  byId("participant").textContent = participant;
  byId("small").hidden = layOut().shown_px >= study.size;
  if (!valid) {
    byId("problem").textContent = "The address of this page ends in a participant number that is not a whole number from 1 on. Ask whoever invited you.";
    byId("problem").hidden = false;
    byId("start").disabled = true;
  }
  byId("intro").hidden = false;
}

const guard = (event) => { event.preventDefault(); };

async function run() {
  introduce();
  await pressed(byId("start"));
  window.addEventListener("beforeunload", guard);
  record.started = new Date().toISOString();
  byId("intro").hidden = true;
  byId("stage").hidden = false;
  scrollTo(0, 0);
  slots[1].box.hidden = !PAIRS;
  byId("choices").hidden = PAIRS;
  for (const [i, trial] of trials.entries()) {
    if (practice && i === practice) {
      await pause("The practice is over", "The rest is the same, without being told whether you were right.");
    }
    await runTrial(trial, i < practice ? i + 1 : i - practice + 1);
  }
  finish();
}

function finish() {
  record.finished = new Date().toISOString();
  record.screen = screenNow();
  const text = JSON.stringify(record, null, 1);
  byId("result").value = text;
  byId("stage").hidden = true;
  byId("end").hidden = false;
  const saved = (message) => { byId("done-note").textContent = message; window.removeEventListener("beforeunload", guard); };
  byId("download").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `study-${study.id.slice(0, 8)}-participant-${participant}-${record.session.slice(0, 8)}.json`;
    link.click();
    saved(`Saved as ${link.download} with your downloads.`);
  });
  byId("copy").addEventListener("click", () => {
    byId("result").select();
    // The clipboard interface is refused to pages opened from a file by some browsers; the old command works there.
    const how = byTouch ? "Hold the marked text to copy it." : "Press Ctrl+C to copy what is marked.";
    saved(document.execCommand("copy") ? "Copied." : how);
  });
  byId("download").focus({ preventScroll: true });
}

run().catch((error) => {
  document.querySelectorAll("main, #stage").forEach((part) => { part.hidden = true; });
  byId("between-title").textContent = "Something went wrong";
  byId("between-text").textContent = `Please tell whoever invited you: ${error.message || error}`;
  byId("continue").hidden = true;
  byId("between").hidden = false;
});
