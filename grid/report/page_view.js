// The interactive view of raw maps. Everything it knows stands in #view-data; what it shows stands in the address, after "#view:".
{
  const section = document.getElementById("view"), data = JSON.parse(document.getElementById("view-data").textContent);
  const root = section.querySelector(".view"), stage = root.querySelector(".stage"), read = root.querySelector(".spot");
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const make = (tag, text, kind) => {
    const one = document.createElement(tag);
    if (text) one.textContent = text;
    if (kind) one.className = kind;
    return one;
  };
  const number = (value) => (value === 0 ? "0" : Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5 ? value.toExponential(2) : value.toPrecision(4));
  const colors = Object.fromEntries(Object.entries(data.colors).map(([name, text]) => [name, bytes(text)]));
  const of = (signed) => colors[signed ? "diverging" : "sequential"];

  // Rows are images, or pairs: each row lists its one or two images.
  const rows = [];
  data.images.forEach((image, place) => {
    const mate = image.pair === undefined ? undefined : rows.find((row) => row.pair === image.pair);
    if (mate) mate.images.push(place);
    else rows.push({ pair: image.pair, same: image.same, images: [place] });
  });
  const entry = (cell, method) => data.entries.find((one) => one.cell === cell && one.title === data.methods[method]);

  // Half-precision floats, without help from the browser.
  const half = (bits) => {
    const sign = bits & 0x8000 ? -1 : 1, power = (bits >> 10) & 31, rest = bits & 1023;
    return sign * (power ? Math.pow(2, power - 15) * (1 + rest / 1024) : Math.pow(2, -24) * rest);
  };
  const known = new Map();
  const values = (one, image) => {
    const place = one.maps[image][1], key = `${place} ${one.peak}`;
    if (!known.has(key)) {
      const raw = bytes(data.blobs[place]), found = new Float32Array(raw.length / 2);
      for (let n = 0; n < found.length; n++) found[n] = half(raw[2 * n] | (raw[2 * n + 1] << 8)) * (one.peak || 1);
      known.set(key, found);
    }
    return known.get(key);
  };
  const faces = new Map();
  const face = (place) => {
    if (!faces.has(place)) {
      const image = new Image();
      image.src = `data:image/jpeg;base64,${data.blobs[place]}`;
      faces.set(place, image.decode().then(() => image));
    }
    return faces.get(place);
  };

  const first = (count) => [...Array(count).keys()];
  const kinds = (n) => new Set(data.entries.filter((one) => one.title === data.methods[n]).flatMap((one) => Object.keys(one.maps).map(Number)));
  const start = kinds(0);
  const state = {
    cells: first(Math.min(3, data.cells.length)),
    methods: first(Math.min(data.cells.length > 1 ? 1 : 3, data.methods.length)),
    images: rows.map((row, n) => n).filter((n) => rows[n].images.some((image) => start.has(image))).slice(0, 3),
    opacity: 75, size: 176, scale: "row", smooth: 1,
  };
  const limits = { cells: data.cells.length, methods: data.methods.length, images: rows.length };
  const load = () => {
    if (!location.hash.startsWith("#view:")) return;
    for (const part of decodeURIComponent(location.hash.slice(6)).split(";")) {
      const [key, text] = part.split("=");
      if (key in limits) state[key] = (text || "").split(",").filter(Boolean).map(Number).filter((n) => n >= 0 && n < limits[key]);
      else if (key === "scale" && ["row", "all", "image"].includes(text)) state.scale = text;
      else if (["opacity", "size", "smooth"].includes(key) && text !== "" && Number.isFinite(Number(text))) state[key] = Number(text);
    }
    state.size = Math.min(480, Math.max(80, state.size));
    state.opacity = Math.min(100, Math.max(0, state.opacity));
  };
  const save = () => {
    const text = Object.entries(state).map(([key, value]) => `${key}=${value}`).join(";");
    history.replaceState(null, "", `#view:${text}`);
  };

  // The shown columns are (cell, method), the cells of a method beside each other.
  const columns = () => state.methods.flatMap((method) => state.cells.map((cell) => ({ cell, method, one: entry(cell, method) })));
  const own = (one, image) => {
    const found = values(one, image);
    let high = 0;
    for (const value of found) high = Math.max(high, one.signed ? Math.abs(value) : value);
    return high;
  };
  const ends = (one, image, common) => {
    const high = state.scale === "image" ? own(one, image) : state.scale === "all" ? common : one.high;
    return [one.signed ? -high : 0, high];
  };
  const sample = (one, map, x, y, smooth) => { // x, y from 0 to 1
    const [height, width] = one.shape;
    if (!smooth) return map[Math.min(height - 1, Math.floor(y * height)) * width + Math.min(width - 1, Math.floor(x * width))];
    const u = Math.min(width - 1, Math.max(0, x * width - 0.5)), v = Math.min(height - 1, Math.max(0, y * height - 0.5));
    const left = Math.floor(u), top = Math.floor(v), right = Math.min(width - 1, left + 1), low = Math.min(height - 1, top + 1);
    const a = u - left, b = v - top, above = top * width, below = low * width;
    return (1 - b) * ((1 - a) * map[above + left] + a * map[above + right]) + b * ((1 - a) * map[below + left] + a * map[below + right]);
  };
  const paint = async (canvas, one, image, common) => {
    const bitmap = await face(one.maps[image][0]), map = values(one, image);
    const context = canvas.getContext("2d", { willReadFrequently: true }), { width, height } = canvas;
    context.imageSmoothingEnabled = Boolean(state.smooth);
    context.drawImage(bitmap, 0, 0, width, height);
    const part = state.opacity / 100, floor = part <= 0.75 ? 0.467 : 0.467 + (0.533 * (part - 0.75)) / 0.25;
    if (!part || one.painted) return;
    const pixels = context.getImageData(0, 0, width, height), shades = of(one.signed), [low, high] = ends(one, image, common);
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at += 4) {
        const value = sample(one, map, (x + 0.5) / width, (y + 0.5) / height, state.smooth);
        const place = high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0;
        const strength = one.signed ? Math.abs(2 * place - 1) : place, weight = part * (floor + (1 - floor) * strength);
        const gray = 0.299 * pixels.data[at] + 0.587 * pixels.data[at + 1] + 0.114 * pixels.data[at + 2], shade = 3 * Math.round(255 * place);
        for (let c = 0; c < 3; c++) pixels.data[at + c] = (1 - weight) * gray + weight * shades[shade + c];
      }
    }
    context.putImageData(pixels, 0, 0);
  };

  // Reading: one place of one image, in every bitmap of it.
  let shown = [];
  const point = (image, x, y, chosen) => {
    for (const one of shown) {
      const on = one.image === image, [height, width] = one.entry.shape, [rows_, columns_] = one.entry.size;
      one.mark.style.display = on ? "block" : "none";
      one.value.textContent = one.calm;
      if (!on) continue;
      const column = Math.min(width - 1, Math.floor(x * width)), row = Math.min(height - 1, Math.floor(y * height));
      const value = values(one.entry, image)[row * width + column], box = one.canvas.getBoundingClientRect();
      Object.assign(one.mark.style, { left: `${(column / width) * box.width}px`, top: `${(row / height) * box.height}px`, width: `${box.width / width}px`, height: `${box.height / height}px` });
      one.value.textContent = number(value);
      if (one === chosen) {
        const at = `pixel ${Math.floor(x * columns_)}, ${Math.floor(y * rows_)}`, cell = height === rows_ && width === columns_ ? "" : ` (map ${column}, ${row} of ${width} x ${height})`;
        read.textContent = `${one.entry.title}: ${number(value)} at ${at}${cell}; ${data.images[image].identity}; ${data.cells[one.entry.cell].title}`;
      }
    }
  };
  const rest = () => {
    for (const one of shown) {
      one.mark.style.display = "none";
      one.value.textContent = one.calm;
    }
    read.textContent = "";
  };
  const tile = (one, image, common, jobs) => {
    const [height, width] = one.size, zoom = state.size / Math.max(height, width), cell = make("div");
    const box = make("div", "", "pic"), canvas = make("canvas"), mark = make("i"), calm = values(one, image).some(Boolean) ? "\u00a0" : "zero everywhere", value = make("div", calm, "value");
    canvas.width = Math.round(width * zoom);
    canvas.height = Math.round(height * zoom);
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${one.title}, ${data.images[image].key}, ${data.cells[one.cell].title}; arrow keys read values`);
    const me = { entry: one, image, canvas, mark, value, calm };
    shown.push(me);
    const by = (event) => {
      const at = canvas.getBoundingClientRect();
      point(image, Math.min(0.9999, Math.max(0, (event.clientX - at.left) / at.width)), Math.min(0.9999, Math.max(0, (event.clientY - at.top) / at.height)), me);
    };
    canvas.addEventListener("pointermove", by);
    canvas.addEventListener("pointerdown", by);
    canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && rest());
    canvas.addEventListener("blur", rest);
    const [rows_, columns_] = one.shape, at = { x: columns_ >> 1, y: rows_ >> 1 };
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      at.x = Math.min(columns_ - 1, Math.max(0, at.x + step[0]));
      at.y = Math.min(rows_ - 1, Math.max(0, at.y + step[1]));
      point(image, (at.x + 0.5) / columns_, (at.y + 0.5) / rows_, me);
    });
    box.append(canvas, mark);
    cell.append(box, value);
    jobs.push(() => paint(canvas, one, image, common));
    return cell;
  };
  const gap = (text) => {
    const one = make("div", text, "gap");
    one.style.width = `${state.size}px`;
    one.style.height = `${Math.min(state.size, 120)}px`;
    return one;
  };
  const head = (column, common) => {
    const { one } = column, top = make("div", "", "col"), cell = make("th");
    cell.scope = "col";
    top.append(make("b", data.methods[column.method]), make("span", data.cells[column.cell].name));
    if (one && !one.refused) {
      top.append(make("span", one.words), make("span", "", "grow"));
      const ramp = make("div", "", "ramp"), shades = of(one.signed), high = state.scale === "all" ? common : one.high, span = make("div", "", "ends");
      ramp.style.background = `linear-gradient(to right, ${first(17).map((n) => `rgb(${[0, 1, 2].map((c) => shades[3 * Math.round((n * 255) / 16) + c]).join(" ")})`).join(", ")})`;
      const texts = state.scale === "image" ? [one.signed ? "− own largest" : "0", "own largest"] : [number(one.signed ? -high : 0), ...(one.signed ? ["0"] : []), number(high)];
      for (const text of texts) span.append(make("span", text));
      if (!one.painted) top.append(ramp, span);
    }
    top.style.maxWidth = `${one && !one.refused && one.cosines && Object.keys(one.cosines).length ? 2 * state.size + 4 : state.size}px`;
    cell.append(top);
    return cell;
  };
  let turn = 0;
  const draw = async () => {
    delete root.dataset.drawn; // until all of it is there
    const mine = ++turn, all = columns(), jobs = [], chosen = state.images.map((n) => rows[n]);
    const common = Math.max(0, ...all.filter((c) => c.one && !c.one.refused).map((c) => c.one.high));
    shown = [];
    read.textContent = "";
    const table = make("table"), top = table.createTHead().insertRow(), body = table.createTBody();
    top.append(make("th"), ...all.map((column) => head(column, common)));
    for (const row of chosen) {
      const line = body.insertRow(), title = make("th");
      title.scope = "row";
      if (row.pair !== undefined) title.append(make("b", `pair ${row.pair}`), make("span", row.same ? "genuine" : "impostor", row.same ? "genuine" : "impostor"), make("br"));
      title.append(make("span", [...new Set(row.images.map((n) => data.images[n].identity))].join(" and ")));
      line.append(title);
      for (const { one } of all) {
        const cell = line.insertCell(), box = make("div");
        box.style.cssText = "display:flex;gap:4px";
        const there = one ? row.images.filter((image) => image in one.maps) : [];
        if (!one) box.append(gap("no maps yet"));
        else if (one.refused) box.append(gap(`Refused. ${one.refused}`));
        else if (!there.length) box.append(gap(one.without && one.without[row.pair] ? `Refused. ${one.without[row.pair]}` : "not among this method's probes"));
        for (const image of there) box.append(tile(one, image, common, jobs));
        cell.append(box);
        if (there.length && row.pair !== undefined && one.cosines[row.pair] != null) cell.append(make("div", `cosine ${one.cosines[row.pair].toFixed(3)}`, "value"));
      }
    }
    stage.replaceChildren(all.length && chosen.length ? table : make("p", "Choose at least one cell, one method and one image.", "note"));
    for (const job of jobs) {
      if (mine !== turn) return;
      await job();
    }
    if (mine === turn) root.dataset.drawn = String(turn);
  };

  // The controls.
  const chips = (name, labels) => {
    const set = root.querySelector(`[data-list=${name}]`).appendChild(make("div", "", "chips"));
    labels.forEach((content, n) => {
      const label = make("label", "", content instanceof Array ? "chip face" : "chip"), input = make("input");
      input.type = "checkbox";
      input.value = n;
      input.autocomplete = "off";
      label.append(input, ...(content instanceof Array ? content : [content]));
      input.addEventListener("change", () => {
        state[name] = [...set.querySelectorAll("input:checked")].map((one) => Number(one.value));
        if (name === "methods") follow();
        update();
      });
      set.append(label);
    });
  };
  // Images that none of the chosen methods has are not offered; if none of the chosen ones is left, the first ones are.
  const follow = () => {
    const there = new Set(state.methods.flatMap((n) => [...kinds(n)])), has = (n) => !state.methods.length || rows[n].images.some((image) => there.has(image));
    if (there.size && !state.images.some(has)) state.images = rows.map((row, n) => n).filter(has).slice(0, 3);
    root.querySelectorAll("[data-list=images] label").forEach((label, n) => (label.hidden = there.size > 0 && !has(n)));
    root.querySelectorAll("[data-list=images] label").forEach((label) => (label.style.display = label.hidden ? "none" : ""));
  };
  const update = (keep = true) => {
    for (const name of Object.keys(limits)) for (const input of root.querySelectorAll(`[data-list=${name}] input`)) input.checked = state[name].includes(Number(input.value));
    for (const input of root.querySelectorAll("[data-set]")) {
      input.value = state[input.dataset.set];
      const said = input.parentElement.querySelector("output");
      if (said) said.textContent = input.dataset.set === "opacity" ? `${state.opacity} %` : `${state.size} px`;
    }
    if (keep) save();
    draw();
  };
  load();
  chips("cells", data.cells.map((cell) => cell.name));
  chips("methods", data.methods);
  chips("images", rows.map((row) => {
    const parts = row.images.map((image) => {
      const bitmap = make("img"), one = data.entries.find((other) => image in other.maps);
      bitmap.alt = data.images[image].key;
      bitmap.title = `${data.images[image].identity}: ${data.images[image].key}`;
      if (one) bitmap.src = `data:image/jpeg;base64,${data.blobs[one.maps[image][0]]}`;
      return bitmap;
    });
    return row.pair === undefined ? parts : [...parts, make("b", row.same ? "=" : "≠", row.same ? "genuine" : "impostor")];
  }));
  for (const input of root.querySelectorAll("[data-set]")) {
    input.autocomplete = "off";
    input.addEventListener("input", () => {
      state[input.dataset.set] = input.dataset.set === "scale" ? input.value : Number(input.value);
      update();
    });
  }
  root.hidden = false;
  follow();
  update(false);
  const linked = () => location.hash.startsWith("#view:");
  if (linked()) section.scrollIntoView();
  addEventListener("hashchange", () => {
    if (!linked()) return;
    load();
    follow();
    update(false);
  });
}
