// The page: one state, the controls that change it, and the images that follow it.

import { History, bookmarks, keepBookmarks } from "./history.js";
import { SeedMap, blendAt, placeOf, seedAt } from "./map.js";
import { Gone, Newest, Superseded, ask } from "./server.js";

const $ = (id) => document.getElementById(id);
const MAX_SEED = 2 ** 32 - 1;
const MAX_MIXED_CLASSES = 100;
const THUMBNAIL_LIMIT_MS = 200; // slower networks have no small images in the map

const infos = new Map(); // number of a network to what the server says about it
let labels = []; // of the networks
let state = null;
let history = null;
let playing = null; // {start} while an interpolation plays
let shown = null; // {blob} of the first image

const random = () => crypto.getRandomValues(new Uint32Array(1))[0];
const clamp = (value, low, high) => Math.min(Math.max(Number.isFinite(value) ? value : low, low), high);
const range = (first, last) => Array.from({ length: Math.max(last - first + 1, 0) }, (_, index) => first + index);

function firstState(info) {
  return {
    network: 0, compare: null, x: 0, y: 0, classes: {}, example: null, psi: info.psi, cutoff: info.cutoff, noise: "const", noiseSeed: 0,
    mix: false, mixSeed: 1, mixFirst: 0, mixLast: Math.min(3, Math.max(info.num_ws - 1, 0)), edits: {}, lod: info.lod,
  };
}

// The requested label, null for that of each seed.
function labelOf(current, info) {
  if (info.label_examples) return current.example === null ? null : info.label_examples[current.example] || null;
  const chosen = Object.entries(current.classes).filter(([number, weight]) => weight > 0 && number < info.label_size);
  const total = chosen.reduce((sum, [, weight]) => sum + weight, 0);
  if (!total) return null;
  const label = new Array(info.label_size).fill(0);
  for (const [number, weight] of chosen) label[number] = weight / total;
  return label;
}

// What the server needs for an image; networks that are compared may lack layers, classes or directions.
function viewOf(current, info, latent) {
  const within = (layer) => layer < info.num_ws;
  const edits = info.directions.filter(({ name }) => current.edits[name] && current.edits[name].strength);
  return {
    latent,
    label: labelOf(current, info),
    psi: current.psi,
    cutoff: current.cutoff,
    noise: current.noise === "seed" ? "random" : current.noise,
    noise_seed: current.noise === "random" ? random() : current.noiseSeed,
    mix_seed: current.mixSeed,
    mix_layers: current.mix ? range(current.mixFirst, current.mixLast).filter(within) : [],
    edits: edits.map(({ name }) => {
      const { strength, first, last } = current.edits[name];
      return { name, strength, layers: range(first, last).filter(within) };
    }),
    lod: info.max_lod ? clamp(current.lod, 0, info.max_lod) : null,
  };
}

const info = () => infos.get(state.network);
const latentNow = () => blendAt(state.x, state.y);

// --- networks -----------------------------------------------------------------------------------------------------

async function open(number) {
  if (!infos.has(number)) {
    say(`Loading ${labels[number]} …`);
    infos.set(number, await ask("open", { network: number }, `network${number}`));
    say("");
  }
  return infos.get(number);
}

// --- images -------------------------------------------------------------------------------------------------------

function say(text) {
  $("status").textContent = text;
}

function complain(error) {
  if (error instanceof Superseded) return;
  say(error instanceof Gone ? "The server does not answer. Trying again …" : error.message);
}

function pane(image, caption, slot) {
  return new Newest(async ({ number, view, current }) => {
    const about = await open(number);
    const start = performance.now();
    const { blob, milliseconds } = await ask("image", { network: number, view: view || viewOf(current, about, latentNow()) }, slot);
    if (!blob) return;
    if (image.src) URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(blob);
    image.classList.toggle("smooth", about.resolution >= 256);
    await image.decode().catch(() => {});
    const whole = performance.now() - start;
    caption.textContent = `${labels[number]} · ${milliseconds.toFixed(0)} ms a picture, ${(1000 / whole).toFixed(whole > 100 ? 1 : 0)} pictures/s`;
    image.dataset.milliseconds = milliseconds;
    image.dataset.count = Number(image.dataset.count || 0) + 1;
    if (slot === "first") shown = blob;
    say("");
  }, complain);
}

const first = pane($("image"), $("caption"), "first");
const second = pane($("image2"), $("caption2"), "second");

async function render(latent = null) {
  const about = await open(state.network).catch(complain);
  if (!about) {
    setTimeout(render, 700);
    return;
  }
  const chosen = latent || latentNow();
  const noise = random(); // the same random noise in both images
  const send = (target, number) => {
    const known = infos.get(number);
    const view = known && viewOf(state, known, chosen);
    if (view && state.noise === "random") view.noise_seed = noise;
    target.request({ number, view, current: state });
  };
  send(first, state.network);
  $("second").hidden = state.compare === null;
  if (state.compare !== null) send(second, state.compare);
  if (!latent) thumbnails.later();
}

// --- small images in the map --------------------------------------------------------------------------------------

const thumbnails = {
  key: "",
  timer: null,
  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load().catch(() => {}), 350);
  },
  async load() {
    const milliseconds = Number($("image").dataset.milliseconds || 0);
    if (!$("thumbnails").checked || playing || milliseconds > THUMBNAIL_LIMIT_MS) return;
    const { network } = state;
    const view = viewOf({ ...state, mix: false, noise: state.noise === "none" ? "none" : "const" }, info(), []);
    const key = JSON.stringify([network, view]);
    if (key !== this.key) map.pictures.clear();
    this.key = key;
    for (const { seed } of map.visible()) {
      if (map.pictures.has(seed)) continue;
      const { blob } = await ask("image", { network, view: { ...view, latent: [[seed, 1]] } }, "map");
      if (key !== this.key) return;
      if (map.pictures.size > 600) map.pictures.clear();
      map.pictures.set(seed, await createImageBitmap(blob));
      map.draw();
    }
  },
};

// --- state --------------------------------------------------------------------------------------------------------

// Changes the state and shows it; with `isFinal`, it can be undone.
function change(values, isFinal = true) {
  stop();
  Object.assign(state, values);
  show();
  if (isFinal) commit();
  render();
}

function commit() {
  history.push(state);
  $("undo").disabled = !history.canUndo;
  $("redo").disabled = !history.canRedo;
}

async function restore(saved) {
  if (!saved) return;
  stop();
  const known = saved.network < labels.length ? saved.network : state.network;
  const compare = saved.compare !== null && saved.compare < labels.length ? saved.compare : null;
  try {
    const about = await open(known);
    state = { ...firstState(about), ...saved, network: known, compare };
  } catch (error) {
    complain(error);
    return;
  }
  build();
  show();
  $("undo").disabled = !history.canUndo;
  $("redo").disabled = !history.canRedo;
  render();
}

const map = new SeedMap($("map"), (x, y, isFinal) => change({ x, y }, isFinal));

function setSeed(seed) {
  change(placeOf(clamp(Math.round(seed), 0, MAX_SEED)));
}

// --- controls -----------------------------------------------------------------------------------------------------

function options(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
  select.value = chosen;
}

function slider(name, low, high, step, onChange) {
  const label = document.createElement("label");
  label.className = "slider";
  const [word, input, output] = ["span", "input", "output"].map((kind) => document.createElement(kind));
  word.textContent = word.title = name;
  Object.assign(input, { type: "range", min: low, max: high, step });
  input.addEventListener("input", () => onChange(Number(input.value), false));
  input.addEventListener("change", () => onChange(Number(input.value), true));
  label.append(word, input, output);
  return { label, show: (value) => { input.value = value; output.textContent = value.toFixed(2).replace(/0$/, ""); } };
}

let classSliders = [];
let directionRows = [];

// Makes the controls that depend on the network.
function build() {
  const about = info();
  const names = about.class_names.length ? about.class_names : range(0, about.label_size - 1).map((number) => `class ${number}`);
  const isOfExamples = Boolean(about.label_examples);
  $("about").textContent = `${about.model}, ${about.resolution}x${about.resolution}, ${about.kimg.toFixed(0)} kimg`;
  $("class-box").hidden = !about.label_size;
  $("class-word").textContent = isOfExamples ? "Label" : "Class";
  const choices = isOfExamples ? about.label_examples.map((label) => label.map((number) => +number.toFixed(3)).join(", ")) : names;
  options($("class"), [["", "that of each seed"], ...choices.map((text, number) => [number, text]), ...(isOfExamples ? [] : [["mix", "a mix"]])], "");
  $("mix-box").hidden = isOfExamples;
  classSliders = isOfExamples ? [] : names.slice(0, MAX_MIXED_CLASSES).map((name, number) =>
    slider(name, 0, 1, 0.01, (value, isFinal) => change({ classes: { ...state.classes, [number]: value } }, isFinal)));
  $("class-mix").replaceChildren(...classSliders.map(({ label }) => label));
  for (const box of document.querySelectorAll(".styles")) box.hidden = !about.num_ws;
  $("noise-box").hidden = !about.has_noise;
  $("lod-box").hidden = !about.max_lod;
  $("lod").max = about.max_lod;
  $("directions-box").hidden = !about.num_ws;
  $("save-w").textContent = about.num_ws ? "Save w" : "Save z";
  options($("cutoff"), [["all", "all layers"], ...range(0, about.num_ws).map((number) => [number, `the first ${number}`])], "all");
  $("mix-first").max = $("mix-last").max = about.num_ws - 1;
  $("no-directions").hidden = about.directions.length > 0;
  directionRows = about.directions.map(directionRow);
  $("directions").replaceChildren(...directionRows.map(({ row }) => row));
}

function directionRow({ name, method, layers, scores }) {
  const row = document.createElement("div");
  row.className = "direction";
  const start = { strength: 0, first: layers[0], last: layers[layers.length - 1] };
  const set = (values, isFinal) => change({ edits: { ...state.edits, [name]: { ...start, ...state.edits[name], ...values } } }, isFinal);
  const strength = slider(name, -5, 5, 0.1, (value, isFinal) => set({ strength: value }, isFinal));
  const [from, to] = ["first", "last"].map((key) => {
    const input = document.createElement("input");
    Object.assign(input, { type: "number", min: 0, max: info().num_ws - 1, step: 1 });
    input.setAttribute("aria-label", `${key} layer of ${name}`);
    input.addEventListener("change", () => set({ [key]: clamp(Math.round(Number(input.value)), 0, info().num_ws - 1) }, true));
    return input;
  });
  const reset = document.createElement("button");
  reset.textContent = "0";
  reset.setAttribute("aria-label", `reset ${name}`);
  reset.addEventListener("click", () => set({ ...start }, true));
  const about = document.createElement("span");
  about.className = "scores";
  const number = (key, digits) => (typeof scores[key] === "number" ? scores[key].toFixed(digits) : null);
  about.textContent = [
    method,
    scores.target && `${scores.target} ${number("target_per_step", 1)} a step`,
    number("lpips_per_step", 2) && `LPIPS ${number("lpips_per_step", 2)}`,
    number("held_out_accuracy", 2) && `accuracy ${number("held_out_accuracy", 2)}`,
  ].filter(Boolean).join(", ");
  const line = document.createElement("div");
  line.className = "row";
  line.append("layers", from, "to", to, reset, about);
  row.append(strength.label, line);
  const show = () => {
    const { strength: value, first: low, last: high } = { ...start, ...state.edits[name] };
    strength.show(value);
    from.value = low;
    to.value = high;
  };
  return { row, show };
}

// Shows the state in the controls.
function show() {
  const about = info();
  $("network").value = state.network;
  $("compare").value = state.compare === null ? "" : state.compare;
  map.moveTo(state.x, state.y);
  if (document.activeElement !== $("seed")) $("seed").value = seedAt(Math.round(state.x), Math.round(state.y));
  const chosen = Object.entries(state.classes).filter(([, weight]) => weight > 0);
  if (about.label_examples) $("class").value = state.example === null ? "" : state.example;
  else $("class").value = !chosen.length ? "" : chosen.length === 1 ? chosen[0][0] : "mix";
  classSliders.forEach(({ show: showOne }, number) => showOne(state.classes[number] || 0));
  $("psi").value = state.psi;
  $("psi-value").textContent = state.psi.toFixed(2);
  $("cutoff").value = state.cutoff === null ? "all" : Math.min(state.cutoff, about.num_ws);
  $("noise").value = state.noise;
  $("noise-seed").value = state.noiseSeed;
  $("noise-seed").disabled = state.noise !== "seed";
  $("mix").checked = state.mix;
  $("mix-seed").value = state.mixSeed;
  $("mix-first").value = state.mixFirst;
  $("mix-last").value = state.mixLast;
  $("lod").value = state.lod;
  $("lod-value").textContent = state.lod.toFixed(2);
  directionRows.forEach(({ show: showOne }) => showOne());
}

function onNumber(id, name, low, high) {
  $(id).addEventListener("change", () => change({ [name]: clamp(Math.round(Number($(id).value)), low, high()) }));
}

function onSlider(id, name) {
  $(id).addEventListener("input", () => change({ [name]: Number($(id).value) }, false));
  $(id).addEventListener("change", () => change({ [name]: Number($(id).value) }));
}

async function choose(number) {
  try {
    await open(number);
    state.network = number;
    build();
    change({});
  } catch (error) {
    complain(error);
    show();
  }
}

$("network").addEventListener("change", () => choose(Number($("network").value)));
$("compare").addEventListener("change", () => change({ compare: $("compare").value === "" ? null : Number($("compare").value) }));
$("seed").addEventListener("change", () => setSeed(Number($("seed").value)));
$("random").addEventListener("click", () => setSeed(random()));
$("thumbnails").addEventListener("change", () => thumbnails.later());
$("class").addEventListener("change", () => {
  const value = $("class").value;
  if (value === "mix") $("mix-box").open = true;
  else if (info().label_examples) change({ example: value === "" ? null : Number(value) });
  else change({ classes: value === "" ? {} : { [value]: 1 } });
});
$("cutoff").addEventListener("change", () => change({ cutoff: $("cutoff").value === "all" ? null : Number($("cutoff").value) }));
$("noise").addEventListener("change", () => change({ noise: $("noise").value }));
$("mix").addEventListener("change", () => change({ mix: $("mix").checked }));
onSlider("psi", "psi");
onSlider("lod", "lod");
onNumber("noise-seed", "noiseSeed", 0, () => MAX_SEED);
onNumber("mix-seed", "mixSeed", 0, () => MAX_SEED);
onNumber("mix-first", "mixFirst", 0, () => info().num_ws - 1);
onNumber("mix-last", "mixLast", 0, () => info().num_ws - 1);
$("undo").addEventListener("click", () => restore(history.move(-1)));
$("redo").addEventListener("click", () => restore(history.move(1)));

// --- interpolation and video --------------------------------------------------------------------------------------

function walkSeeds() {
  const seeds = $("walk").value.split(/[\s,]+/).filter(Boolean).map(Number);
  if (seeds.length < 2 || seeds.length > 16 || !seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED)) {
    say("The seeds of an interpolation are 2 to 16 whole numbers, such as 0, 5, 12.");
    return null;
  }
  return seeds;
}

function play() {
  const seeds = walkSeeds();
  if (!seeds) return;
  const milliseconds = 1000 * clamp(Number($("walk-seconds").value), 0.5, 30);
  const current = { start: performance.now() };
  playing = current;
  $("play").textContent = "Stop";
  $("play").setAttribute("aria-pressed", "true");
  const step = async () => {
    if (playing !== current) return;
    const position = (performance.now() - current.start) / milliseconds;
    const [index, share] = [Math.floor(position) % seeds.length, position % 1];
    await render([[seeds[index], 1 - share], [seeds[(index + 1) % seeds.length], share]]);
    requestAnimationFrame(step);
  };
  step();
}

function stop() {
  playing = null;
  $("play").textContent = "Play";
  $("play").setAttribute("aria-pressed", "false");
}

const toggle = () => (playing ? (stop(), render()) : play());
$("play").addEventListener("click", toggle);
$("video").addEventListener("click", async () => {
  const seeds = walkSeeds();
  if (!seeds) return;
  $("video").disabled = true;
  say("Making the video …");
  const body = {
    network: state.network, view: viewOf(state, info(), latentNow()), keys: seeds.map((seed) => [[seed, 1]]),
    frames: clamp(Math.round(Number($("video-frames").value)), 2, 600), fps: clamp(Math.round(Number($("video-fps").value)), 1, 60),
    format: $("video-format").value,
  };
  try {
    const { blob, name } = await ask("video", body);
    download(blob, name);
    say("");
  } catch (error) {
    complain(error);
  }
  $("video").disabled = false;
});

// --- saving -------------------------------------------------------------------------------------------------------

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function savePng() {
  if (!shown) return;
  const latent = latentNow();
  download(shown, latent.length === 1 ? `seed${String(latent[0][0]).padStart(4, "0")}.png` : "image.png");
}

async function saveLatents() {
  try {
    const { blob, name } = await ask("latents", { network: state.network, view: viewOf(state, info(), latentNow()) });
    download(blob, name);
  } catch (error) {
    complain(error);
  }
}

async function copyCommand() {
  try {
    const { command, note } = await ask("command", { network: state.network, view: viewOf(state, info(), latentNow()) });
    $("command-box").hidden = false;
    $("command").value = command;
    $("command").select();
    $("command-note").textContent = note;
    await navigator.clipboard.writeText(command).catch(() => {}); // browsers allow it on this machine only; the text is selected
  } catch (error) {
    complain(error);
  }
}

function addBookmark() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 64;
  const image = $("image");
  if (!image.naturalWidth) return;
  canvas.getContext("2d").drawImage(image, 0, 0, 64, 64);
  keepBookmarks([...bookmarks(), { state: { ...state }, network: labels[state.network], picture: canvas.toDataURL() }]);
  showBookmarks();
}

function showBookmarks() {
  const marks = bookmarks();
  $("bookmarks").replaceChildren(...marks.map((mark, number) => {
    const box = document.createElement("div");
    box.className = "mark";
    const [go, remove] = [document.createElement("button"), document.createElement("button")];
    const picture = new Image();
    picture.src = mark.picture.startsWith("data:image/") ? mark.picture : "";
    picture.alt = `bookmark ${number + 1}, ${mark.network}`;
    go.title = mark.network;
    go.append(picture);
    go.addEventListener("click", async () => {
      const network = labels.indexOf(mark.network);
      await restore({ ...mark.state, network: network < 0 ? state.network : network });
      commit();
    });
    remove.textContent = "×";
    remove.setAttribute("aria-label", `remove bookmark ${number + 1}`);
    remove.addEventListener("click", () => {
      keepBookmarks(marks.filter((_, other) => other !== number));
      showBookmarks();
    });
    box.append(go, remove);
    return box;
  }));
}

$("save-png").addEventListener("click", savePng);
$("save-w").addEventListener("click", saveLatents);
$("copy").addEventListener("click", copyCommand);
$("bookmark").addEventListener("click", addBookmark);

// --- keys ---------------------------------------------------------------------------------------------------------

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = { r: () => setSeed(random()), b: addBookmark, s: savePng, " ": toggle };

document.addEventListener("keydown", (event) => {
  const isInField = event.target.matches("input, select, textarea");
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if ((event.ctrlKey || event.metaKey) && key === "z" && !event.target.matches("textarea, input[type=text], input[type=number]")) {
    event.preventDefault();
    restore(history.move(event.shiftKey ? 1 : -1));
  } else if (event.ctrlKey || event.metaKey || event.altKey || isInField) {
    return;
  } else if (MOVES[key]) {
    event.preventDefault();
    const step = event.shiftKey ? 1 : 0.1;
    const tidy = (value) => Math.round(value * 1000) / 1000;
    change({ x: tidy(state.x + MOVES[key][0] * step), y: tidy(state.y + MOVES[key][1] * step) });
  } else if (KEYS[key] && !(key === " " && event.target.matches("button, summary"))) {
    event.preventDefault();
    KEYS[key]();
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => map.draw());

// --- start --------------------------------------------------------------------------------------------------------

async function start() {
  try {
    const { networks, video_formats: formats } = await ask("networks");
    labels = networks;
    options($("network"), labels.map((label, number) => [number, label]), 0);
    options($("compare"), [["", "nothing"], ...labels.map((label, number) => [number, label])], "");
    options($("video-format"), formats.map((format) => [format, format]), formats[0]);
    state = firstState(await open(0));
  } catch (error) {
    complain(error);
    if (error instanceof Gone) setTimeout(start, 700);
    return;
  }
  history = new History(state);
  build();
  show();
  commit();
  showBookmarks();
  render();
}

start();
