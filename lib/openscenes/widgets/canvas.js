// The browser's half of canvas.py. It paints, turns mouse, fingers and keys into gestures in image
// pixels, and shows its guess of a gesture until Python has answered it. Nothing is decided here.
// keys.js, view.js and painter.js stand before this file in the module that the browser loads.

const DRAG_PX = 4; // a press that moves less is a click
const REACH_PX = { mouse: 6, pen: 8, touch: 14 }; // how near to a side or corner one takes hold of it
const MIN_BOX_PX = 2; // in image pixels; a thinner box is a slip of the hand
const LEAST_UNITS = 240, HIGHEST = 0.72; // height of a canvas that fills its place; of the window
const ZOOM_STEP = 1.25, PAN_UNITS = 60, SETTLED_MS = 120, MARGIN = 0.25;
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const HIDDEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)";
const LAYERS = ["image", "overlay", "detail", "detail_overlay"];

const boxBetween = ([row0, col0], [row1, col1]) => [
  Math.min(row0, row1), Math.min(col0, col1), Math.max(row0, row1) + 1, Math.max(col0, col1) + 1,
];
const isBox = (box, [width, height]) =>
  box[2] - box[0] >= Math.min(MIN_BOX_PX, height) && box[3] - box[1] >= Math.min(MIN_BOX_PX, width);
const reachOf = (event) => REACH_PX[event.pointerType] ?? REACH_PX.mouse;
const centred = ([row, col]) => [row - 0.5, col - 0.5].map((at) => Math.round(10 * at) / 10);

function render({ model, el }) {
  const canvas = document.createElement("canvas");
  const spoken = document.createElement("div");
  const view = new View();
  const painter = new Painter(canvas, view, model);
  const ends = new AbortController();
  let listening = new AbortController();
  el.style.position = "relative";
  spoken.setAttribute("aria-live", "polite");
  spoken.style.cssText = HIDDEN;
  canvas.className = "os-canvas-picture";
  canvas.dataset.lmSuppressShortcuts = "true";
  canvas.style.cssText = "display:block;max-width:100%;touch-action:none;outline-offset:-2px";
  el.append(canvas, spoken);

  const isMain = () => model.get("main");
  let around = null; // the widget that the canvas is part of, once it is in the page
  let guess = null; // {box, clicks, strokes, ring} that Python has not answered yet
  let corner = null; // [row, col] of a box whose second corner is missing
  let drawn = []; // corners of a new outline that is not closed yet, [row, col] each
  let held = null; // [row, col] of the outline's corner that keys move
  let shifted = null; // {number, before, ring}: an outline that keys are changing
  let pointer = null; // where the mouse is, in units
  let crosshair = null; // [row, col] moved by the arrow keys
  let press = null; // what a press does: {does, from, at, moved, ...}
  let unsent = null; // a dragged point that waits for the answer to the one before
  let space = ""; // "held" while the space bar is down, "used" once it has moved the view
  const fingers = new Map(); // places of touches, by pointer

  const shown = () => ({
    box: model.get("box"), clicks: model.get("clicks"), strokes: [], ring: null, ...guess,
  });
  const marked = (change) => { guess = { ...guess, ...change }; };
  const signOf = (event) => {
    const other = event.shiftKey || event.button === 2 || press?.button === 2;
    return Boolean(other) === model.get("outside") ? 1 : -1;
  };

  // ---- gestures ----
  const lastSent = () => Math.max(model.get("answered"), ...model.get("gestures").map((g) => g.n));

  function send(gesture) {
    const waiting = model.get("gestures").filter((g) => g.n > model.get("answered"));
    model.set("gestures", [...waiting, { n: lastSent() + 1, ...gesture }]);
    model.save_changes();
  }

  function boxed(box, kind = "box") {
    corner = null;
    if (!isBox(box, model.get("size"))) return;
    marked(kind === "box" ? { box, clicks: [] } : { box });
    send({ kind, box });
  }

  function pointed([row, col], dragging) {
    marked({ clicks: [[row, col, 1]] });
    if (dragging && model.get("answered") < lastSent()) unsent = [row, col];
    else {
      unsent = null;
      send({ kind: "point", row, col, sign: 1, dragging });
    }
  }

  function clicked(at, sign) {
    const { box, clicks } = shown();
    if (model.get("mode") === "point") pointed(at, false);
    else if (model.get("tool") !== "click") painted([at], sign);
    else if (corner) boxed(boxBetween(corner, at));
    else if (!box.length) corner = at;
    else if (!clicks.length) pointed(at, false);
    else {
      marked({ clicks: [...clicks, [...at, sign]] });
      send({ kind: "click", row: at[0], col: at[1], sign });
    }
  }

  function painted(points, sign) {
    if (!["brush", "eraser"].includes(model.get("tool"))) return;
    const stroke = { points, radius: model.get("radius"), sign: strokeSign(sign) };
    marked({ strokes: [...shown().strokes, stroke] });
    send({ kind: "stroke", ...stroke });
  }

  // A corner of a new outline; one on the first corner or twice at a place closes it.
  function outlined([row, col], sign, reach) {
    const ends = drawn.length ? [drawn[0], drawn.at(-1)] : [];
    if (sign < 0) drawn.pop();
    else if (!ends.some((one) => view.zoom * Math.hypot(one[0] - row, one[1] - col) <= reach))
      drawn.push([row, col]);
    else closed();
    spoken.textContent = `corner ${drawn.length}, row ${row}, column ${col}`;
  }

  function closed() {
    if (drawn.length < 3) return;
    marked({ ring: { number: 0, ring: { hole: false, points: drawn } } });
    send({ kind: "outline", points: drawn });
    drawn = [];
  }

  const isDrawing = () => model.get("mode") === "interaction" && model.get("tool") === "polygon"
    && !ringsNow().length;

  const strokeSign = (sign) => (model.get("tool") === "eraser" ? -sign : sign);

  // ---- mouse, pen and finger ----
  function place(event) {
    const frame = canvas.getBoundingClientRect();
    return [
      ((event.clientX - frame.left) * view.width) / frame.width,
      ((event.clientY - frame.top) * view.height) / frame.height,
    ];
  }

  function pressed(event) {
    if (model.get("mode") === "none") return;
    canvas.focus({ preventScroll: true });
    cornerSet();
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
    if (event.pointerType === "touch") fingers.set(event.pointerId, place(event));
    if (fingers.size > 1) pinched();
    else {
      crosshair = null;
      const [from, { button }] = [place(event), event];
      press = { from, at: view.pixel(from), button, moved: false, ...taken(event, from) };
      if (model.get("mode") === "point" && press.does === "mark")
        marked({ clicks: [[...press.at, 1]] });
    }
    paint();
  }

  // What a press begins: to move the view, a side, a corner of an outline, to paint, or to mark.
  function taken(event, from) {
    const reach = reachOf(event);
    const tool = model.get("mode") === "interaction" ? model.get("tool") : "click";
    if (event.button === 1 || space) return { does: "pan" };
    if (isDrawing()) return { does: "outline" };
    if (tool === "polygon") return cornerTaken(event, from, reach) ?? { does: "pan" };
    if (tool !== "click")
      return { does: "paint", points: [centred(view.at(from))], sign: signOf(event) };
    const sides = isMain() && event.button === 0 && sidesAt(from, reach);
    return sides ? { does: "sides", sides, box: shown().box } : { does: "mark" };
  }

  // Which of [row0, col0, row1, col1] lie under a place, the nearer one of two; null for none.
  function sidesAt([x, y], reach) {
    const { box } = shown();
    if (!box.length || corner) return null;
    const [top, left, bottom, right] = box.map((at, i) => (i % 2 ? view.x(at) : view.y(at)));
    const beside = x < left - reach || x > right + reach || y < top - reach || y > bottom + reach;
    const way = [top - y, left - x, bottom - y, right - x].map(Math.abs);
    const near = way.map((px, i) => px <= reach && (px < way[(i + 2) % 4] || i > 1));
    return !beside && near.some(Boolean) ? near : null;
  }

  function withSides({ sides, box }, to) {
    const at = view.at(to).map((one, i) => Math.round(clamp(one, 0, view.size[1 - i])));
    const [row0, col0, row1, col1] = box.map((old, i) => (sides[i] ? at[i % 2] : old));
    return [Math.min(row0, row1), Math.min(col0, col1), Math.max(row0, row1), Math.max(col0, col1)];
  }

  // A corner of an outline, or a new one on its line; Shift or the right button takes one away.
  function cornerTaken(event, from, reach) {
    let best = null;
    for (const [number, ring] of model.get("rings").entries()) {
      const places = ring.points.map(([row, col]) => [view.x(col + 0.5), view.y(row + 0.5)]);
      places.forEach((one, i) => {
        const px = Math.hypot(one[0] - from[0], one[1] - from[1]);
        if (px <= reach && px < (best?.px ?? Infinity)) best = { px, number, i, fresh: 0 };
      });
      if (best && !best.fresh) continue;
      places.forEach((one, i) => {
        const px = wayToLine(from, one, places[(i + 1) % places.length]);
        if (px <= reach && px < (best?.px ?? Infinity)) best = { px, number, i: i + 1, fresh: 1 };
      });
    }
    if (!best) return null;
    const { number, i, fresh } = best, before = model.get("rings")[number];
    const points = before.points.toSpliced(i, 1 - fresh, centred(view.at(from)).map(Math.round));
    const away = signOf(event) < 0 && !fresh && before.points.length > 3;
    const after = { ...before, points: away ? before.points.toSpliced(i, 1) : points };
    return { does: "corner", number, i: away ? -1 : i, fresh, before, ring: after, moved: away };
  }

  function moved(event) {
    if (model.get("mode") === "none") return;
    const before = pointer;
    pointer = place(event);
    if (fingers.has(event.pointerId)) {
      const [one, other] = [...fingers.values()];
      fingers.set(event.pointerId, pointer);
      if (other) return spread([one, other], [...fingers.values()]);
    }
    if (!press) return hovered(event);
    const way = Math.hypot(pointer[0] - press.from[0], pointer[1] - press.from[1]);
    press.moved ||= way >= DRAG_PX || press.does === "paint";
    if (press.moved) dragged(before);
    if (press.does !== "mark" || press.moved) paintSoon();
  }

  function dragged(before) {
    if (["pan", "outline"].includes(press.does)) panned(pointer[0] - before[0], pointer[1] - before[1]);
    else if (press.does === "sides") marked({ box: withSides(press, pointer) });
    else if (press.does === "paint") press.points.push(centred(view.at(pointer)));
    else if (press.does === "corner" && press.i >= 0) {
      const points = press.ring.points.with(press.i, centred(view.at(pointer)).map(Math.round));
      press.ring = { ...press.ring, points };
    } else if (press.does === "mark" && model.get("mode") === "point")
      pointed(view.pixel(pointer), true);
  }

  function released(event) {
    fingers.delete(event.pointerId);
    if (!press) return;
    const done = press;
    if (done.does === "paint") painted(done.points, done.sign);
    else if (done.does === "outline" && !done.moved) outlined(done.at, signOf(event), reachOf(event));
    else if (done.does === "corner") cornerLeft(done);
    else if (done.does === "sides" && done.moved) boxed(withSides(done, place(event)), "sides");
    else if (["mark", "sides"].includes(done.does)) ended(done, event);
    press = null;
    settle();
    paint();
  }

  function ended({ at, moved: far }, event) {
    const to = view.pixel(place(event));
    if (model.get("mode") === "point") pointed(far ? to : at, false);
    else if (far && press.button !== 2) boxed(boxBetween(at, to));
    else if (far) return;
    else if (isMain() && (event.ctrlKey || event.metaKey)) send({ kind: "choose", row: at[0], col: at[1] });
    else clicked(at, signOf(event));
  }

  function cornerLeft(done) {
    const { i, fresh, before, ring, moved: far } = done;
    held = i < 0 || (fresh && !far) ? null : (far ? ring : before).points[i];
    if (far) reformed(done);
  }

  function reformed({ number, before, ring }) {
    marked({ ring: { number, ring } });
    send({ kind: "ring", hole: ring.hole, before: before.points, after: ring.points });
  }

  function hovered(event) {
    const tool = model.get("tool");
    const sides = isMain() && tool === "click" && sidesAt(pointer, reachOf(event));
    canvas.style.cursor = space ? "grab" : sides ? cursorOf(sides) : "crosshair";
    if (corner || tool !== "click") paintSoon();
  }

  // Two fingers: the image stays under them.
  function pinched() {
    press = null;
    settle();
  }

  function spread([a0, b0], [a1, b1]) {
    const middle = ([x0, y0], [x1, y1]) => [(x0 + x1) / 2, (y0 + y1) / 2];
    const apart = ([x0, y0], [x1, y1]) => Math.max(1, Math.hypot(x1 - x0, y1 - y0));
    const [from, to] = [middle(a0, b0), middle(a1, b1)];
    view.pan(to[0] - from[0], to[1] - from[1]);
    view.zoomAt(apart(a1, b1) / apart(a0, b0), to);
    viewed();
  }

  function wheeled(event) {
    if (model.get("mode") === "none") return;
    const inside = isMain() && around?.contains(document.activeElement);
    if (!event.ctrlKey && !inside) return; // the page moves on
    const lines = event.deltaMode === 1 ? 16 : 1;
    const factor = Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002));
    if (factor < 1 && view.fitted && !event.ctrlKey) return;
    event.preventDefault();
    view.zoomAt(factor, place(event));
    viewed();
  }

  function panned(dx, dy) {
    if (space) space = "used";
    view.pan(dx, dy);
    viewed();
  }

  // ---- keyboard ----
  function keyed(event) {
    if (model.get("mode") === "none" || event.altKey) return;
    const control = event.ctrlKey || event.metaKey;
    const name = (control ? "ctrl+" : "") + event.key;
    const kind = kindOf(name, control);
    if (event.key in ARROWS) control ? panBy(event) : arrowed(event);
    else if (name === "Enter") entered(event);
    else if (name === " ") space ||= "held";
    else if (["+", "="].includes(name)) zoomed(ZOOM_STEP);
    else if (name === "-") zoomed(1 / ZOOM_STEP);
    else if (name === "0") whole();
    else if (name === "Escape" && (corner || drawn.length)) [corner, drawn] = [null, []];
    else if (kind === "undo" && drawn.length) drawn.pop();
    else if (kind === "delete" && cornerHeld()) cornerDropped(cornerHeld());
    else if (kind) command(kind, event.key);
    else if (name !== "ctrl+s" || !isMain()) return; // everything is saved already
    event.preventDefault();
    event.stopPropagation();
    paint();
  }

  function kindOf(name, control) {
    const kinds = model.get("gesture_of_key");
    return kinds[name] ?? (control ? null : kinds[name.toLowerCase()]);
  }

  function entered(event) {
    if (!isDrawing()) clicked(crosshairOr(), signOf(event));
    else if (crosshair || !drawn.length) outlined(crosshairOr(), signOf(event), 0);
    else closed();
  }

  function keyLifted(event) {
    if (event.key in ARROWS) cornerSet();
    if (event.key !== " " || !space) return;
    if (space === "held" && crosshair) entered(event);
    space = "";
    paint();
  }

  function command(kind, key) {
    corner = null;
    cornerSet();
    const [name, value] = kind.split(" ");
    if (name === "tool") set("tool", value);
    else if (name === "radius") set("radius", clamp(model.get("radius") * value, 0.5, 200));
    else if (["hide", "outside"].includes(name)) set(name, !model.get(name));
    else {
      if (kind === "clear" && model.get("mode") === "interaction") marked({ box: [], clicks: [] });
      send(kind === "class" ? { kind, number: Number(key) } : { kind });
    }
  }

  function set(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  function zoomed(factor) {
    const at = crosshair && [view.x(crosshair[1] + 0.5), view.y(crosshair[0] + 0.5)];
    view.zoomAt(factor, at ?? [view.width / 2, view.height / 2]);
    viewed();
  }

  function whole() {
    view.show();
    viewed();
  }

  function panBy(event) {
    const [down, right] = ARROWS[event.key];
    panned(-PAN_UNITS * right, -PAN_UNITS * down);
  }

  function crosshairOr() {
    crosshair ??= view.pixel(pointer ?? [view.width / 2, view.height / 2]);
    return crosshair;
  }

  // The corner that keys move, as long as an outline has it.
  function cornerHeld() {
    for (const [number, ring] of ringsNow().entries()) {
      const i = ring.points.findIndex((one) => one.join() === held?.join());
      if (i >= 0) return { number, i, before: shifted?.before ?? ring, points: ring.points };
    }
    return null;
  }

  function cornerDropped({ number, i, before, points }) {
    [held, shifted] = [null, null];
    if (points.length > 3)
      reformed({ number, before, ring: { ...before, points: points.toSpliced(i, 1) } });
  }

  // What the arrow keys did to an outline, once they are let go, is one step.
  function cornerSet() {
    if (shifted) reformed(shifted);
    shifted = null;
  }

  // Move the corner that is held, or the crosshair.
  function arrowed(event) {
    const step = event.shiftKey ? 10 : 1, there = cornerHeld();
    const [width, height] = view.size;
    const [down, right] = ARROWS[event.key];
    const [row, col] = there ? held : crosshairOr();
    const at = [clamp(row + step * down, 0, height - 1), clamp(col + step * right, 0, width - 1)];
    if (there) {
      const { number, i, before, points } = there;
      shifted = { number, before, ring: { ...before, points: points.with(i, at) } };
      held = at;
    } else crosshair = at;
    view.follow(at);
    viewed();
    spoken.textContent = `row ${at[0]}, column ${at[1]}`;
  }

  // ---- painting ----
  let frame = 0, later = 0;

  function paint() {
    cancelAnimationFrame(frame);
    frame = 0;
    const { box, clicks, strokes } = shown();
    const drawing = model.get("mode") === "interaction" && model.get("tool") !== "click";
    const from = corner ?? (press?.moved && press.does === "mark" && !drawing ? press.at : null);
    const boxes = from && pointer && model.get("mode") === "interaction";
    const now = press?.does === "paint"
      ? [{ points: press.points, radius: model.get("radius"), sign: strokeSign(press.sign) }] : [];
    const marks = drawing && model.get("tool") === "polygon" ? { box: [], clicks: [] } : { box, clicks };
    painter.paint({
      ...marks, corner, crosshair,
      dashed: boxes ? boxBetween(from, view.pixel(pointer)) : null,
      handles: isMain() && !drawing,
      strokes: [...strokes, ...now],
      rings: [...ringsNow(), ...(drawn.length ? [{ points: [...drawn, ...next()], open: true }] : [])],
      held: cornerHeld() && held,
      ring: drawing && model.get("tool") !== "polygon" && pointer
        ? { place: pointer, radius: model.get("radius") } : null,
    });
    tell();
  }

  // Outlines with what mouse or keys are changing, or what Python has not answered yet.
  function ringsNow() {
    const changed = press?.does === "corner" ? press : shifted ?? shown().ring;
    return changed ? model.get("rings").toSpliced(changed.number, 1, changed.ring) : model.get("rings");
  }

  // Where the next corner of a new outline would lie.
  const next = () => (crosshair ? [crosshair] : pointer ? [view.pixel(pointer)] : []);

  function paintSoon() {
    frame ||= requestAnimationFrame(paint);
  }

  // After the view has moved: paint, and once it rests ask for what is seen.
  function viewed() {
    paintSoon();
    if (!isMain()) return;
    clearTimeout(later);
    later = setTimeout(askForDetail, SETTLED_MS);
  }

  // [row0, col0, row1, col1, scale]: the part that is seen, and its screen pixels per image pixel.
  function askForDetail() {
    const { image, detail } = painter.layers;
    if (!image) return;
    const [width, height] = view.size;
    const wanted = Math.min(1, (view.zoom * canvas.width) / view.width);
    if (wanted <= 1.02 * (image.width / width)) {
      if (model.get("view").length) set("view", []);
      return;
    }
    const [seen, has] = [view.seen(), model.get("detail_box")];
    const covers = has.length && seen.every((at, i) => (i < 2 ? at >= has[i] - 1 : at <= has[i] + 1));
    if (covers && detail && detail.width / (has[3] - has[1]) >= 0.98 * wanted) return;
    const [down, across] = [MARGIN * (seen[2] - seen[0]), MARGIN * (seen[3] - seen[1])];
    set("view", [
      Math.floor(Math.max(0, seen[0] - down)), Math.floor(Math.max(0, seen[1] - across)),
      Math.ceil(Math.min(height, seen[2] + down)), Math.ceil(Math.min(width, seen[3] + across)),
      wanted,
    ]);
  }

  // For tests in a browser: what is seen, and how far the talk with Python is.
  function tell() {
    const [width, height] = view.size;
    const { zoom, left, top, width: units } = view;
    const facts = { width, height, sent: lastSent(), answered: model.get("answered") };
    const detail = painter.layers.detail ? model.get("detail_box").join() : "";
    Object.assign(canvas.dataset, facts, { zoom, left, top, units, detail });
  }

  // ---- what Python sends ----
  function resize() {
    const [width, height] = model.get("size");
    const across = isMain() ? el.clientWidth : model.get("width_px");
    if (!across) return; // not in the page yet
    const highest = Math.max(LEAST_UNITS, HIGHEST * window.innerHeight);
    const fitting = (across * height) / width;
    const down = isMain() ? clamp(fitting, LEAST_UNITS, highest) : fitting;
    const density = window.devicePixelRatio || 1;
    const sides = { width: Math.round(across * density), height: Math.max(1, Math.round(down * density)) };
    for (const [side, px] of Object.entries(sides)) if (canvas[side] !== px) canvas[side] = px;
    canvas.style.width = `${across}px`;
    canvas.style.height = isMain() ? `${down}px` : "auto";
    view.resize(across, down, [width, height]);
  }

  function describe() {
    const still = model.get("mode") === "none";
    canvas.setAttribute("role", still ? "img" : "application");
    canvas.setAttribute("aria-label", model.get("label"));
    canvas.tabIndex = still ? -1 : 0;
    canvas.style.cursor = still ? "default" : "crosshair";
  }

  let newest = 0, scheduled = false;
  const bytes = {};

  function refreshSoon() {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(() => { scheduled = false; refresh(); }); // all of one message at once
  }

  async function refresh() {
    const mine = ++newest;
    const [seq, now] = [model.get("seq"), Object.fromEntries(LAYERS.map((n) => [n, model.get(n)]))];
    const ready = await Promise.all(LAYERS.map((name) => (now[name] === bytes[name]
      ? painter.layers[name] : decoded(now[name], name.endsWith("overlay")))));
    if (mine !== newest) return;
    const other = isMain() && now.image !== bytes.image;
    LAYERS.forEach((name, i) => { painter.layers[name] = ready[i]; });
    Object.assign(bytes, now);
    resize();
    if (other) view.show();
    if (other || !isDrawing()) drawn = [];
    describe();
    paint();
    viewed();
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

  // ---- the page ----
  const on = (name, does, options) =>
    canvas.addEventListener(name, does, { signal: ends.signal, ...options });
  on("pointerdown", pressed);
  on("pointermove", moved);
  on("pointerup", released);
  on("pointercancel", (event) => {
    fingers.delete(event.pointerId);
    press = null;
    settle();
    paint();
  });
  on("pointerleave", () => { if (!press) { pointer = null; paintSoon(); } });
  on("wheel", wheeled, { passive: false });
  on("contextmenu", (event) => {
    if (model.get("mode") === "none") return;
    event.preventDefault();
    event.stopPropagation();
  });
  window.addEventListener("keyup", keyLifted, { signal: ends.signal });
  window.addEventListener("blur", () => { space = ""; cornerSet(); }, { signal: ends.signal });

  // The widget around the canvas, which may be put together after the canvas is in the page.
  function found() {
    const now = el.isConnected ? widgetAround(el) : null;
    if (!now || now === around) return;
    listening.abort();
    listening = new AbortController();
    around = now;
    keepShortcutsOut(around);
    if (isMain()) listenAround(around, canvas, { keyed, signal: listening.signal });
    else canvas.addEventListener("keydown", keyed, { signal: listening.signal });
  }

  on("focus", found);
  const watched = new ResizeObserver(() => {
    found();
    if (!isMain() || !painter.layers.image) return;
    resize();
    paint();
    viewed();
  });
  watched.observe(el);

  const names = [...LAYERS, "detail_box", "size", "width_px", "box", "clicks", "opacity", "label",
    "seq", "mode", "colours", "rings", "hide", "contrast", "brightness", "tool", "radius", "outside"];
  for (const name of names) model.on(`change:${name}`, refreshSoon);
  model.on("change:answered", heard);
  refresh();
  return () => { ends.abort(); listening.abort(); watched.disconnect(); clearTimeout(later); };
}

// Units from a place to the piece of a line between two others.
function wayToLine([x, y], [x0, y0], [x1, y1]) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const share = clamp(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1), 0, 1);
  return Math.hypot(x - x0 - share * dx, y - y0 - share * dy);
}

function cursorOf([top, left, bottom, right]) {
  if ((top && left) || (bottom && right)) return "nwse-resize";
  if ((top && right) || (bottom && left)) return "nesw-resize";
  return top || bottom ? "ns-resize" : "ew-resize";
}

export default { render };
