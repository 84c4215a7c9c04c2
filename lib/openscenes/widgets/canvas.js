// The browser's half of canvas.py. It paints, turns mouse and keys into gestures in image pixels,
// and shows its guess of a gesture until Python has answered it. Nothing is decided here.

const DRAG_PX = 4; // a press that moves less is a click
const MIN_BOX_PX = 2; // in image pixels; a thinner box is a slip of the hand
const KEYS = {
  Escape: "clear", u: "undo", "ctrl+z": "undo", r: "redo", "ctrl+y": "redo", "ctrl+Z": "redo",
  a: "accept", n: "next", Delete: "delete",
};
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const HIDDEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)";

const signOf = (event) => (event.shiftKey || event.button === 2 ? -1 : 1);
const boxBetween = ([row0, col0], [row1, col1]) => [
  Math.min(row0, row1), Math.min(col0, col1), Math.max(row0, row1) + 1, Math.max(col0, col1) + 1,
];
const isBox = (box, [width, height]) =>
  box[2] - box[0] >= Math.min(MIN_BOX_PX, height) && box[3] - box[1] >= Math.min(MIN_BOX_PX, width);

async function decoded(bytes) {
  return bytes && bytes.byteLength ? createImageBitmap(new Blob([bytes])) : null;
}

function render({ model, el }) {
  const canvas = document.createElement("canvas");
  const spoken = document.createElement("div");
  const pen = canvas.getContext("2d");
  el.style.position = "relative";
  spoken.setAttribute("aria-live", "polite");
  spoken.style.cssText = HIDDEN;
  canvas.className = "os-canvas-picture";
  canvas.style.cssText = "display:block;max-width:100%;height:auto;touch-action:none";
  canvas.dataset.lmSuppressShortcuts = "true"; // the keys are ours, not the notebook's
  el.append(canvas, spoken);

  let image = null, overlay = null; // decoded pictures
  let guess = null; // {box, clicks} that Python has not answered yet
  let corner = null; // [row, col] of a box whose second corner is missing
  let pointer = null; // [row, col] under the mouse
  let crosshair = null; // [row, col] moved by the arrow keys
  let press = null; // where the mouse went down: {at, x, y, moved}
  let unsent = null; // a dragged point that waits for the answer to the one before

  const shown = () => guess ?? { box: model.get("box"), clicks: model.get("clicks") };
  const marked = (box, clicks) => { guess = { box, clicks }; };

  // ---- gestures ----
  const lastSent = () => Math.max(model.get("answered"), ...model.get("gestures").map((g) => g.n));

  function send(gesture) {
    const waiting = model.get("gestures").filter((g) => g.n > model.get("answered"));
    model.set("gestures", [...waiting, { n: lastSent() + 1, ...gesture }]);
    model.save_changes();
  }

  function boxed(box) {
    corner = null;
    if (isBox(box, model.get("size"))) {
      marked(box, []);
      send({ kind: "box", box });
    }
  }

  function pointed([row, col], dragging) {
    marked(shown().box, [[row, col, 1]]);
    if (dragging && model.get("answered") < lastSent()) unsent = [row, col];
    else {
      unsent = null;
      send({ kind: "point", row, col, sign: 1, dragging });
    }
  }

  function clicked(at, sign) {
    const { box, clicks } = shown();
    if (model.get("mode") === "point") pointed(at, false);
    else if (corner) boxed(boxBetween(corner, at));
    else if (!box.length) corner = at;
    else if (!clicks.length) pointed(at, false);
    else {
      marked(box, [...clicks, [...at, sign]]);
      send({ kind: "click", row: at[0], col: at[1], sign });
    }
  }

  // ---- mouse, pen and finger ----
  function place(event) {
    const frame = canvas.getBoundingClientRect();
    const [width, height] = model.get("size");
    const row = Math.floor(((event.clientY - frame.top) * height) / frame.height);
    const col = Math.floor(((event.clientX - frame.left) * width) / frame.width);
    return [Math.min(height - 1, Math.max(0, row)), Math.min(width - 1, Math.max(0, col))];
  }

  function pressed(event) {
    if (model.get("mode") === "none" || event.button === 1) return;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    crosshair = null;
    press = { at: place(event), x: event.clientX, y: event.clientY, moved: false };
    if (model.get("mode") === "point") marked(shown().box, [[...press.at, 1]]);
    paint();
    event.preventDefault();
  }

  function moved(event) {
    if (model.get("mode") === "none") return;
    pointer = place(event);
    const way = press ? Math.hypot(event.clientX - press.x, event.clientY - press.y) : 0;
    if (press) press.moved ||= way >= DRAG_PX;
    if (press?.moved && model.get("mode") === "point") pointed(pointer, true);
    if (press || corner) paint();
  }

  function released(event) {
    if (!press) return;
    const { at, moved: dragged } = press;
    press = null;
    if (model.get("mode") === "point") pointed(dragged ? place(event) : at, false);
    else if (dragged && event.button !== 2) boxed(boxBetween(at, place(event)));
    else if (!dragged) clicked(at, signOf(event));
    settle();
    paint();
  }

  // ---- keyboard ----
  function keyed(event) {
    if (model.get("mode") === "none" || event.altKey) return;
    const name = (event.ctrlKey || event.metaKey ? "ctrl+" : "") + event.key;
    if (name in ARROWS) moveCrosshair(event);
    else if (["Enter", " "].includes(name)) clicked(crosshairOr(), 1);
    else if (name === "-") clicked(crosshairOr(), -1);
    else if (name === "Escape" && corner) corner = null;
    else if (name in KEYS) command(KEYS[name]);
    else return;
    event.preventDefault();
    event.stopPropagation();
    paint();
  }

  function command(kind) {
    corner = null;
    if (kind === "clear" && model.get("mode") === "interaction") marked([], []);
    send({ kind });
  }

  function crosshairOr() {
    const [width, height] = model.get("size");
    crosshair ??= pointer ?? [Math.floor(height / 2), Math.floor(width / 2)];
    return crosshair;
  }

  function moveCrosshair(event) {
    const step = event.shiftKey ? 10 : 1;
    const [width, height] = model.get("size");
    const [down, right] = ARROWS[event.key];
    const [row, col] = crosshairOr();
    crosshair = [
      Math.min(height - 1, Math.max(0, row + step * down)),
      Math.min(width - 1, Math.max(0, col + step * right)),
    ];
    spoken.textContent = `row ${crosshair[0]}, column ${crosshair[1]}`;
  }

  // ---- painting: pen units are displayed pixels ----
  function paint() {
    const [width, height] = model.get("size");
    const scale = model.get("width_px") / width;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    stretched(image, true, 1);
    stretched(overlay, overlay && overlay.width > canvas.width, model.get("opacity"));
    pen.setTransform(canvas.width / (width * scale), 0, 0, canvas.height / (height * scale), 0, 0);
    const { box, clicks } = shown();
    if (box.length) frame(box, scale, []);
    const from = corner ?? (press?.moved && model.get("mode") === "interaction" ? press.at : null);
    if (from && pointer) frame(boxBetween(from, pointer), scale, [5, 4]);
    if (corner) cross(corner, scale, 7);
    for (const [row, col, sign] of clicks) disk(row, col, sign, scale);
    if (crosshair) cross(crosshair, scale, 12);
    tell();
  }

  // For tests in a browser: what the picture is of, and how far the talk with Python is.
  function tell() {
    const [width, height] = model.get("size");
    const facts = { width, height, sent: lastSent(), answered: model.get("answered") };
    Object.assign(canvas.dataset, facts);
  }

  function stretched(picture, smooth, opacity) {
    if (!picture) return;
    pen.imageSmoothingEnabled = smooth;
    pen.imageSmoothingQuality = "high";
    pen.globalAlpha = opacity;
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    pen.globalAlpha = 1;
  }

  // Light on dark, so that it is seen on any ground.
  function twice(stroke) {
    for (const [colour, width] of [["#000000", 4], [model.get("colours").box, 2]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      stroke();
    }
  }

  function frame([row0, col0, row1, col1], scale, dashes) {
    pen.setLineDash(dashes);
    const sides = [col0, row0, col1 - col0, row1 - row0].map((side) => side * scale);
    twice(() => pen.strokeRect(...sides));
    pen.setLineDash([]);
  }

  function cross([row, col], scale, arm) {
    const [x, y] = [(col + 0.5) * scale, (row + 0.5) * scale];
    twice(() => lines([x - arm, y, x + arm, y], [x, y - arm, x, y + arm]));
  }

  function lines(...segments) {
    pen.beginPath();
    for (const [x0, y0, x1, y1] of segments) {
      pen.moveTo(x0, y0);
      pen.lineTo(x1, y1);
    }
    pen.stroke();
  }

  // Plus in a filled disk, minus in a white one: told apart without colour.
  function disk(row, col, sign, scale) {
    const [x, y, colour] = [(col + 0.5) * scale, (row + 0.5) * scale, model.get("colours").click];
    pen.beginPath();
    pen.arc(x, y, 7, 0, 2 * Math.PI);
    pen.fillStyle = sign > 0 ? colour : "#ffffff";
    pen.fill();
    pen.lineWidth = 1.5;
    pen.strokeStyle = "#000000";
    pen.stroke();
    pen.lineWidth = 2;
    if (sign > 0) lines([x - 4, y, x + 4, y], [x, y - 4, x, y + 4]);
    else lines([x - 4, y, x + 4, y]);
  }

  // ---- what Python sends ----
  function resize() {
    const [width, height] = model.get("size");
    const shownPx = model.get("width_px");
    const density = window.devicePixelRatio || 1;
    canvas.width = Math.round(shownPx * density);
    canvas.height = Math.max(1, Math.round(canvas.width * height / width)); // of a strip, too
    canvas.style.width = `${shownPx}px`;
  }

  function describe() {
    const still = model.get("mode") === "none";
    canvas.setAttribute("role", still ? "img" : "application");
    canvas.setAttribute("aria-label", model.get("label"));
    canvas.tabIndex = still ? -1 : 0;
    canvas.style.cursor = still ? "default" : "crosshair";
  }

  let newest = 0, scheduled = false;
  const bytes = { image: undefined, overlay: undefined };

  function refreshSoon() {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(() => { scheduled = false; refresh(); }); // all of one message at once
  }

  async function refresh() {
    const mine = ++newest;
    const [seq, now] = [model.get("seq"), { image: model.get("image"), overlay: model.get("overlay") }];
    const next = [
      now.image === bytes.image ? image : decoded(now.image),
      now.overlay === bytes.overlay ? overlay : decoded(now.overlay),
    ];
    const ready = await Promise.all(next);
    if (mine !== newest) return;
    [image, overlay] = ready;
    Object.assign(bytes, now);
    resize();
    describe();
    paint();
    canvas.dataset.painted = seq;
  }

  // The guess has served once Python has answered everything and no mouse button is down.
  function settle() {
    if (!press && model.get("answered") >= lastSent()) guess = null;
  }

  function heard() {
    if (unsent && model.get("answered") >= lastSent()) pointed(unsent, true);
    settle();
    refreshSoon();
  }

  canvas.addEventListener("pointerdown", pressed);
  canvas.addEventListener("pointermove", moved);
  canvas.addEventListener("pointerup", released);
  canvas.addEventListener("pointercancel", () => { press = null; settle(); paint(); });
  canvas.addEventListener("keydown", keyed);
  canvas.addEventListener("contextmenu", (event) => {
    if (model.get("mode") === "none") return;
    event.preventDefault();
    event.stopPropagation();
  });
  const names = ["image", "overlay", "size", "width_px", "box", "clicks", "opacity", "label", "seq",
    "mode", "colours"];
  for (const name of names) model.on(`change:${name}`, refreshSoon);
  model.on("change:answered", heard);
  refresh();
}

export default { render };
