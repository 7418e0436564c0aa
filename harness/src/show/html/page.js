"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = id => document.getElementById(id);
  const make = (name, text, more) => Object.assign(document.createElement(name), { textContent: text ?? "" }, more);
  const height = parseInt(document.body.style.getPropertyValue("--row"), 10);

  // Each run: its rows, the lists that can be folded, and the pictures that follow.
  const runs = [...document.querySelectorAll(".run")].map(section => {
    const id = section.dataset.id;
    const rows = [...section.querySelectorAll("li")];
    const svg = section.querySelector(".lanes > svg");
    const paths = svg ? [...svg.querySelectorAll("path")].map(path => [path, path.getAttribute("d")]) : [];
    rows.forEach((li, index) => { li.index = index; li.run = id; li.tabIndex = -1; });
    // One stop for the tabulator, which is the row that is chosen.
    section.querySelectorAll("li > a").forEach(link => { link.tabIndex = -1; });
    const number = li => li.value || Number(li.dataset.at);
    return { id, section, rows, svg, paths, number, data: data[id], now: 0, folds: [], open: new Set() };
  });
  const run = id => runs.find(one => one.id === id);
  let here = run("event");
  let folded = true;

  // A row in place of each stretch of calls among others.
  for (const one of runs) {
    let stretch = [];
    const end = next => {
      const quiet = stretch.filter(li => li.classList.contains("q")).length;
      // A few take no more room than a row that stands for them.
      if (quiet < 3) stretch.forEach(li => li.classList.remove("q"));
      else {
        const fold = make("li", "", { className: "fold" });
        const button = make("button", `… ${quiet} calls`, { type: "button", title: "Show them" });
        fold.append(button);
        button.addEventListener("click", () => unfold(one, fold));
        stretch[0].before(fold);
        one.folds.push({ fold, rows: stretch });
        stretch.forEach(li => { li.fold = fold; });
      }
      stretch = [];
    };
    for (const li of one.rows) {
      if (li.classList.contains("q") || li.classList.contains("s")) stretch.push(li); else end();
    }
    end();
  }

  // What is no happening is passed by.
  const said = li => li.classList.contains("apart") || li.classList.contains("g");
  const hidden = li => folded && (li.classList.contains("q") || li.classList.contains("s"));

  function unfold(one, fold) {
    const known = one.folds.find(each => each.fold === fold);
    if (!known) return;
    known.rows.forEach(li => { li.classList.remove("q", "s"); li.classList.add("p"); });
    known.fold.remove();
    draw(one);
  }

  // Moves the lines of the picture to where their rows are now.
  function draw(one) {
    if (!one.svg) return;
    const top = [];
    let y = 0;
    let last = null;
    for (const li of one.rows) {
      if (hidden(li)) {
        if (li.fold && li.fold !== last) { last = li.fold; y += height; }
        top.push(li.fold ? y - height : y);
      } else {
        top.push(y);
        y += height;
      }
    }
    const move = old => {
      const row = Math.min(Math.floor(old / height), top.length - 1);
      return top[row] + old - row * height;
    };
    for (const [path, d] of one.paths) {
      path.setAttribute("d", d.replace(/([,V])(\d+)/g, (_, sign, old) => sign + move(Number(old))));
    }
    one.svg.setAttribute("height", y);
  }

  function fold(yes) {
    folded = yes;
    runs.forEach(one => { one.section.classList.toggle("folded", yes); draw(one); });
    at("fold").textContent = yes ? "Show every call" : "Fold calls";
    at("fold").hidden = runs.every(one => one.folds.length === 0);
  }

  // The process table after a row.
  function table(one, row) {
    const cells = one.data.threads.map(() => ["", "", ""]);
    for (const [from, lane, cell, text] of one.data.changes) {
      if (from > row) break;
      cells[lane][cell] = one.data.texts[text];
    }
    const table = make("table");
    const head = make("tr");
    ["name", "state", "program", "pending"].forEach(name => head.append(make("th", name, { scope: "col" })));
    table.append(head);
    cells.forEach(([state, program, pending], lane) => {
      if (!state) return;
      const line = make("tr", "", { className: lane === one.data.lanes[row] ? "self" : "" });
      [one.data.threads[lane], state, program.replace(/.*\//, ""), pending || "–"].forEach(text => line.append(make("td", text)));
      line.children[2].title = program;
      table.append(line);
    });
    return table;
  }

  // The lines of the source around one.
  function source(anchor) {
    const line = at(anchor);
    if (!line) return null;
    const pre = make("pre");
    const lines = [...line.parentNode.children];
    const index = lines.indexOf(line);
    lines.slice(Math.max(0, index - 4), index + 5).forEach(each => {
      pre.append(make(each === line ? "mark" : "span", each.textContent.trimEnd()));
    });
    return pre;
  }

  function show(one, row) {
    const { texts, places } = one.data;
    const li = one.rows[row];
    const panel = at("now");
    const words = li.querySelector("span");
    const number = li.id ? `event ${li.value}` : "between events";
    panel.replaceChildren(make("h2", `${one.section.getAttribute("aria-label")}, ${number}`));
    panel.append(make("p", `${one.data.threads[one.data.lanes[row]]}: ${words ? words.textContent : ""}`, { className: "what" }));
    const place = places[one.data.at[row] - 1];
    if (place && texts[place[0]]) {
      panel.append(make("p", `in ${texts[place[0]]}`, { className: "where" }));
      if (texts[place[1]]) panel.append(make("p", texts[place[1]], { className: "where" }));
      const lines = source(texts[place[2]]);
      if (lines) panel.append(lines);
    }
    const others = texts[one.data.others[row]];
    if (others) panel.append(make("p", `could have run instead: ${others}`, { className: "where" }));
    panel.append(make("h2", "Processes and threads after it"), table(one, row));
    panel.hidden = false;
  }

  function select(one, row, how = {}) {
    if (!one || one.rows.length === 0) return;
    row = Math.max(0, Math.min(row, one.rows.length - 1));
    document.querySelectorAll("li[aria-current]").forEach(li => {
      li.removeAttribute("aria-current");
      li.tabIndex = -1;
    });
    const li = one.rows[row];
    if (hidden(li)) {
      if (li.fold) unfold(one, li.fold); else li.classList.remove("s");
      draw(one);
    }
    li.setAttribute("aria-current", "true");
    li.tabIndex = 0;
    one.now = row;
    here = one;
    show(one, row);
    if (!how.still) li.scrollIntoView({ block: "nearest" });
    if (how.focus) li.focus({ preventScroll: true });
    if (li.id && !how.quiet) history.replaceState(null, "", `#${li.id}`);
  }

  // The next row that is shown, this way.
  function step(by) {
    let row = here.now + by;
    while (here.rows[row] && (hidden(here.rows[row]) || said(here.rows[row]))) row += by;
    if (here.rows[row]) select(here, row, { focus: true });
  }

  function other() {
    const next = runs.find(one => one !== here);
    if (!next) return;
    const number = here.number(here.rows[here.now]);
    const same = next.rows.findIndex(li => next.number(li) >= number);
    select(next, same < 0 ? next.rows.length - 1 : same, { focus: true });
  }

  function part() {
    const first = here.rows.findIndex(li => li.classList.contains("first"));
    if (first >= 0) select(here, first, { focus: true });
    else {
      const one = runs.find(each => each.section.querySelector(".first"));
      if (one) select(one, one.rows.findIndex(li => li.classList.contains("first")), { focus: true });
    }
  }

  function nextStep() {
    const steps = here.rows.filter(li => li.classList.contains("x"));
    const next = steps.find(li => li.index > here.now) ?? steps[0];
    if (next) select(here, next.index, { focus: true });
  }

  // Search: in what rows say, in both runs, this one first.
  let hits = [];
  let hit = -1;
  function search(text) {
    document.querySelectorAll("li.hit").forEach(li => li.classList.remove("hit"));
    const wanted = text.trim().toLowerCase();
    hits = [];
    hit = -1;
    if (wanted) {
      const order = [here, ...runs.filter(one => one !== here)];
      order.forEach(one => one.rows.forEach(li => {
        if (li.textContent.toLowerCase().includes(wanted)) { hits.push([one, li.index]); li.classList.add("hit"); }
      }));
    }
    at("hits").textContent = wanted ? (hits.length === 1 ? "1 hit" : `${hits.length} hits`) : "";
  }
  function toHit(by, how) {
    if (hits.length === 0) return;
    hit = (hit + by + hits.length) % hits.length;
    if (by < 0 && hit < 0) hit = hits.length - 1;
    const [one, row] = hits[hit];
    select(one, row, how);
    at("hits").textContent = `${hit + 1} of ${hits.length}`;
  }

  function help() {
    const dialog = at("help");
    if (dialog.open) dialog.close(); else dialog.showModal();
  }

  const keys = {
    j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
    h: other, l: other, ArrowLeft: other, ArrowRight: other,
    g: () => select(here, 0, { focus: true }), G: () => select(here, here.rows.length - 1, { focus: true }),
    d: part, s: nextStep, f: () => { fold(!folded); select(here, here.now); },
    "/": () => { at("find").focus(); at("find").select(); },
    n: () => toHit(1, { focus: true }), N: () => toHit(-1, { focus: true }), "?": help,
  };
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.altKey || event.metaKey || at("help").open && event.key !== "?") return;
    const typing = event.target === at("find");
    if (typing && event.key === "Enter") { toHit(event.shiftKey ? -1 : 1, {}); event.preventDefault(); return; }
    if (typing && event.key === "Escape") { at("find").value = ""; search(""); here.rows[here.now].focus(); return; }
    if (typing || event.target.tagName === "BUTTON" && event.key.startsWith("Arrow")) return;
    const act = keys[event.key];
    if (act) { act(); event.preventDefault(); }
  });
  at("find").addEventListener("input", event => search(event.target.value));
  at("fold").addEventListener("click", keys.f);
  at("part")?.addEventListener("click", part);
  at("keys").addEventListener("click", help);
  document.addEventListener("click", event => {
    const li = event.target.closest(".lanes li");
    if (li && li.run && !said(li) && !event.target.closest("a")) select(run(li.run), li.index, { still: true, focus: true });
  });

  // A fragment names an event, or what to search for.
  function follow() {
    let fragment = location.hash.slice(1);
    try { fragment = decodeURIComponent(fragment); } catch { /* It is taken as it is. */ }
    if (fragment.startsWith("find=")) {
      at("find").value = fragment.slice(5);
      search(fragment.slice(5));
      toHit(1, { quiet: true });
      return true;
    }
    const target = fragment && at(fragment);
    if (target && target.run) {
      select(run(target.run), target.index, { quiet: true });
      return true;
    }
    return false;
  }
  addEventListener("hashchange", follow);

  // For paper: rows and their part of the picture together, a few at a time.
  const SHEET = 12;
  addEventListener("beforeprint", () => runs.forEach(one => {
    if (!one.svg) return;
    const lanes = one.svg.parentNode;
    const shown = [...lanes.querySelector("ol").children].filter(li => !hidden(li) && (folded || !li.classList.contains("fold")));
    const sheets = make("div", "", { className: "sheets" });
    one.svg.firstElementChild.id = `picture-${one.id}`;
    for (let from = 0; from < shown.length; from += SHEET) {
      const rows = shown.slice(from, from + SHEET);
      const sheet = make("div", "", { className: "lanes sheet" });
      sheet.style.setProperty("--graph", lanes.style.getPropertyValue("--graph"));
      const list = make("ol");
      rows.forEach(li => { const copy = li.cloneNode(true); copy.removeAttribute("id"); list.append(copy); });
      const svg = document.createElementNS(one.svg.namespaceURI, "svg");
      const use = document.createElementNS(one.svg.namespaceURI, "use");
      svg.setAttribute("width", one.svg.getAttribute("width"));
      svg.setAttribute("height", rows.length * height);
      svg.style.overflow = "hidden";
      use.setAttribute("href", `#picture-${one.id}`);
      use.setAttribute("y", -from * height);
      svg.append(use);
      sheet.append(svg, list);
      sheets.append(sheet);
    }
    lanes.before(sheets);
  }));
  addEventListener("afterprint", () => document.querySelectorAll(".sheets").forEach(sheets => sheets.remove()));

  at("tools").hidden = false;
  fold(true);
  if (!follow()) {
    const first = here.rows.findIndex(li => li.classList.contains("first") || li.classList.contains("x"));
    select(here, Math.max(0, first), { quiet: true, still: true });
  }
})();
