"use strict";
// The pages of a human study: consent, two passes of trials, the end. jsPsych runs the order of pages; an answer counts as given
// only when the collector has acknowledged it, so the page waits for that before it goes on.
(() => {
  const AHEAD = 3; // pairs whose images are loaded in advance
  const root = document.querySelector("#study");
  const trouble = document.querySelector("#trouble");
  const wait = (milliseconds) => new Promise((go) => setTimeout(go, milliseconds));
  let token = "";

  function say(text) {
    trouble.textContent = text;
    trouble.hidden = !text;
  }

  function add(parent, name, text = "", values = {}) {
    const made = Object.assign(document.createElement(name), values);
    if (text) made.textContent = text;
    parent.append(made);
    return made;
  }

  // Asks until there is an answer: repeats after a lost connection, a busy or a restarting collector.
  async function ask(path, body) {
    for (let pause = 500; ; pause = Math.min(2 * pause, 8000)) {
      try {
        const reply = await fetch(path, {
          method: body ? "POST" : "GET",
          headers: { ...(body && { "Content-Type": "application/json" }), ...(token && { Authorization: `Bearer ${token}` }) },
          body: body && JSON.stringify(body),
          cache: "no-store",
        });
        if (reply.status !== 429 && reply.status < 500) {
          say("");
          return { status: reply.status, said: await reply.json() };
        }
      } catch {
        // no connection
      }
      say("No connection to the study at the moment. Your answer is kept and sent again.");
      await wait(pause);
    }
  }

  const images = new Map();
  function load(source) {
    if (!images.has(source)) {
      const image = new Image();
      const done = new Promise((go, fail) => {
        image.onload = () => go(image);
        image.onerror = fail;
      });
      image.src = source;
      images.set(source, done);
      images.get(source).catch(() => images.delete(source));
    }
    return images.get(source);
  }

  async function loaded(source) {
    for (let pause = 500; ; pause = Math.min(2 * pause, 8000)) {
      try {
        return await load(source);
      } catch {
        say("An image could not be loaded; trying again.");
        await wait(pause);
      }
    }
  }

  const sides = ["left", "right"];
  const faces = (pair) => sides.map((side) => `faces/${pair}-${side}.jpg`);
  const maps = (pair, group) => sides.map((side) => `maps/${group}/${pair}-${side}.jpg`);
  const sources = (trial) => [...faces(trial.pair), ...(trial.pass === 2 ? maps(trial.pair, trial.group) : [])];

  // A page of text with one button.
  class TextPage {
    static info = { name: "text-page", version: "1", parameters: {}, data: {} };
    constructor(jsPsych) {
      this.jsPsych = jsPsych;
    }
    trial(place, trial) {
      place.replaceChildren();
      add(place, "h1", trial.title);
      for (const text of trial.texts) add(place, "p", text);
      if (trial.scale) place.append(scale(trial.scale));
      if (!trial.go) return;
      const go = add(place, "button", trial.go, { className: "go", id: "go" });
      go.addEventListener("click", () => this.jsPsych.finishTrial({}), { once: true });
      go.focus();
      scrollTo(0, 0);
    }
  }

  function scale({ source, low, high }) {
    const line = document.createElement("p");
    line.className = "scale";
    add(line, "span", low);
    add(line, "img", "", { src: source, alt: "" });
    add(line, "span", high);
    return line;
  }

  // A pair, in the second pass with maps, and five choices.
  class PairChoice {
    static info = { name: "pair-choice", version: "1", parameters: {}, data: {} };
    constructor(jsPsych) {
      this.jsPsych = jsPsych;
    }
    trial(place, trial) {
      this.show(place, trial); // not returned: jsPsych would end the trial with the promise
    }
    async show(place, trial) {
      place.replaceChildren();
      const where = add(place, "div", "", { className: "where" });
      add(where, "span", trial.pass === 1 ? "First pass" : "Second pass, with maps");
      add(where, "span", `Pair ${trial.position + 1} of ${trial.count}`, { id: "where" });
      add(place, "progress", "", { max: trial.count, value: trial.position }).setAttribute("aria-label", "progress");
      const shown = await Promise.all(sources(trial).map(loaded));
      say("");
      const rows = [shown.slice(0, 2), shown.slice(2)].filter((row) => row.length);
      rows.forEach((row, number) => {
        const box = add(place, "div", "", { className: number ? "images maps" : "images" });
        row.forEach((image, side) => {
          const copy = image.cloneNode();
          copy.alt = number ? `Map of the ${sides[side]} photograph` : `The ${sides[side]} photograph`;
          box.append(copy);
        });
      });
      if (trial.scale) place.append(scale(trial.scale));
      add(place, "h2", trial.question);
      const box = add(place, "div", "", { className: "choices", role: "group" });
      let chosen = false;
      let listener = null;
      let started = 0;
      const choose = async (choice) => {
        if (chosen) return;
        chosen = true;
        this.jsPsych.pluginAPI.cancelKeyboardResponse(listener);
        for (const button of buttons) button.disabled = true;
        const milliseconds = Math.min(Math.round(performance.now() - started), 86400000);
        const { status } = await ask("api/answer", { pass: trial.pass, pair: trial.pair, choice, milliseconds });
        if (status === 200) this.jsPsych.finishTrial({ pass: trial.pass, pair: trial.pair, choice });
        else location.reload(); // answered in another tab: go on where the collector is
      };
      const buttons = trial.choices.map((text, number) => {
        const button = add(box, "button", "", { value: String(number + 1) });
        add(button, "b", String(number + 1));
        add(button, "span", text);
        button.addEventListener("click", () => choose(number + 1));
        return button;
      });
      scrollTo(0, 0);
      started = performance.now();
      listener = this.jsPsych.pluginAPI.getKeyboardResponse({
        callback_function: ({ key }) => choose(Number(key)),
        valid_responses: ["1", "2", "3", "4", "5"],
        persist: false,
        allow_held_key: false,
      });
      for (const next of trial.ahead) sources(next).forEach((source) => load(source).catch(() => {}));
    }
  }

  function consent(texts) {
    return new Promise((go) => {
      root.replaceChildren();
      add(root, "h1", texts.title);
      for (const text of texts.consent) add(root, "p", text);
      const label = add(root, "label");
      const box = add(label, "input", "", { type: "checkbox", id: "agree" });
      add(label, "span", texts.agree);
      const start = add(root, "button", "Start", { className: "go", id: "start", disabled: true });
      box.addEventListener("change", () => (start.disabled = !box.checked));
      start.addEventListener("click", () => {
        start.disabled = true;
        go();
      });
    });
  }

  function remembered(key) {
    try {
      return localStorage.getItem(key) || "";
    } catch {
      return ""; // the browser stores nothing; the address still holds the token
    }
  }

  function remember(key, value) {
    try {
      localStorage.setItem(key, value);
    } catch {
      // see above
    }
    history.replaceState(null, "", `#${value}`); // not part of a request, so in no log
  }

  async function main() {
    const texts = (await ask("api/texts")).said;
    document.title = texts.title;
    const key = `facegrid-study-${texts.study}`;
    let session = null;
    for (const found of new Set([location.hash.slice(1), remembered(key)])) {
      if (!found) continue;
      token = found;
      const { status, said } = await ask("api/session");
      if (status === 200) {
        session = said;
        remember(key, found);
        break;
      }
      token = "";
    }
    if (!session) {
      await consent(texts);
      const { said } = await ask("api/join", { consent: true });
      token = said.token;
      remember(key, token);
      session = (await ask("api/session")).said;
    }
    const legend = { source: `maps/${session.group}/scale.jpg`, low: texts.low, high: texts.high };
    const count = session.orders[0].length;
    const trials = session.orders.flatMap((order, index) =>
      order.map((pair, position) => ({ pair, position, count, pass: index + 1, group: session.group }))
    );
    const timeline = [];
    for (let number = session.done; number < trials.length; number++) {
      const trial = trials[number];
      const resumed = number === session.done && number > 0;
      if (trial.position === 0 || resumed) {
        const second = trial.pass === 2;
        const texts_ = second ? [...texts.second, session.maps] : texts.first;
        const title = second ? "Second pass" : "First pass";
        timeline.push({ type: TextPage, title, texts: texts_, scale: second ? legend : null, go: resumed && trial.position ? "Go on" : "Begin" });
      }
      const ahead = trials.slice(number + 1, number + 1 + AHEAD);
      timeline.push({ type: PairChoice, ...trial, ahead, question: texts.question, choices: texts.choices, scale: trial.pass === 2 ? legend : null });
    }
    timeline.push({ type: TextPage, title: texts.title, texts: texts.done, scale: null, go: "" });
    root.replaceChildren();
    await initJsPsych({ display_element: root }).run(timeline);
  }

  main();
})();
