"use strict";
// What a page needs beyond HTML: numbers and times as the viewer's locale writes them, charts, and news.
(() => {
  // --- numbers and times ---
  const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
  const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
  const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0 });
  const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
  const unit = (name, digits = 0) => new Intl.NumberFormat(undefined, { style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits: digits });
  const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
  const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  const sizes = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const spans = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  function duration(seconds) {
    if (Math.abs(seconds) < 1) return unit("millisecond").format(Math.round(seconds * 1000));
    if (Math.abs(seconds) < 60) return unit("second", 1).format(seconds);
    const i = spans.findIndex(([, size]) => Math.abs(seconds) >= size);
    const [name, size] = spans[i], [next, nextSize] = spans[i + 1];
    const first = Math.trunc(seconds / size), rest = Math.floor((Math.abs(seconds) % size) / nextSize);
    return unit(name).format(first) + (rest ? " " + unit(next).format(rest) : "");
  }
  function bytes(n) {
    let i = 0;
    while (Math.abs(n) >= 1000 && i < sizes.length - 1) { n /= 1000; i++; }
    return unit(sizes[i], 1).format(n);
  }
  const format = (kind, v) => kind === "percent" ? percent.format(v) : kind === "seconds" ? duration(v) : kind === "bytes" ? bytes(v) :
    (Math.abs(v) >= 1000 ? whole : number).format(v);
  function since(date) {
    const seconds = (date - Date.now()) / 1000;
    for (const [name, size] of [["year", 31557600], ["month", 2629800], ...spans]) {
      if (Math.abs(seconds) >= size || size === 1) return ago.format(Math.trunc(seconds / size), name);
    }
  }
  function localise(root) {
    for (const e of root.querySelectorAll("data[data-kind]")) {
      const v = Number(e.value);
      e.textContent = ("signed" in e.dataset && v > 0 ? "+" : "") + format(e.dataset.kind, v);
    }
    for (const e of root.querySelectorAll("time[data-kind]")) {
      const at = new Date(e.dateTime);
      e.textContent = e.dataset.kind === "day" ? day.format(at) : e.dataset.kind === "clock" ? clock.format(at) : e.dataset.kind === "ago" ? since(at) : when.format(at);
      if (e.dataset.kind === "ago") e.title = when.format(at);
    }
  }

  // --- charts ---
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const plots = new Map(); // element -> uPlot
  const dayTick = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });
  const localDayTick = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
  const clockTick = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const legendTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const markColors = { release: "--s3", alert: "--bad", escalation: "--warn" };

  // A series is drawn twice: what is final, and from the first provisional window on what is not.
  function split(values, times, from) {
    if (!from) return [values, null];
    const at = times.findIndex(t => t >= from);
    if (at < 0) return [values, null];
    return [values.map((v, i) => i < at ? v : null), values.map((v, i) => i >= at - 1 ? v : null)];
  }
  function draw(element) {
    const chart = JSON.parse(element.dataset.plot);
    const old = plots.get(element);
    if (old) old.destroy();
    const data = [chart.times], series = [{ label: chart.days ? "Day" : "From", value: (u, v) => v == null ? "–" : (chart.days ? day : legendTime).format(v * 1000) }], bands = [];
    let color = 0;
    for (const s of chart.series) {
      const stroke = s.style === "reference" ? css("--reference") : css("--s" + (1 + color++ % 4));
      const value = (u, v) => v == null ? "–" : format(chart.kind, v);
      const common = { label: s.label, stroke, value, width: s.style === "reference" ? 1 : 1.6, points: { show: chart.times.length < 2 } };
      if (s.style === "bars") Object.assign(common, { paths: uPlot.paths.bars({ size: [0.8, 40] }), fill: stroke, width: 0, points: { show: false } });
      if (s.style === "reference") common.dash = [2, 3];
      if (s.style === "band") {
        bands.push({ series: [data.length + 1, data.length], fill: css("--band") });
        data.push(s.low); series.push({ ...common, label: s.label + ", lower end", width: 0.5 });
        data.push(s.values); series.push({ ...common, width: 0.5 });
        continue;
      }
      const [final, open] = s.style === "bars" && chart.provisional ? barsApart(s.values, chart) : split(s.values, chart.times, chart.provisional);
      data.push(final); series.push(common);
      if (open) {
        data.push(open);
        series.push({ ...common, label: s.label + ", provisional", dash: [4, 4], fill: s.style === "bars" ? stroke + "59" : undefined });
      }
    }
    const axis = { stroke: css("--muted"), grid: { stroke: css("--line"), width: 1 }, ticks: { show: false }, font: "12px " + getComputedStyle(document.body).fontFamily };
    const options = {
      width: Math.max(element.clientWidth, 200), height: 210, series, bands,
      cursor: { drag: { x: false, y: false }, points: { size: 6 } }, legend: { live: true },
      scales: { x: { range: (u, from, to) => {
        const step = chart.times.length > 1 ? chart.times[1] - chart.times[0] : 3600, pad = chart.series.some(s => s.style === "bars") ? step / 2 : 0;
        return [from - pad, to + pad];
      } }, y: { range: (u, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.08] } },
      axes: [
        { ...axis, values: (u, splits, i, space, step) => splits.map(t => step >= 86400 ? (chart.days ? dayTick : localDayTick).format(t * 1000) : clockTick.format(t * 1000)), space: 64, size: 30 },
        { ...axis, values: (u, splits) => splits.map(v => chart.kind === "number" ? compact.format(v) : format(chart.kind, v)), size: 52 },
      ],
      hooks: { draw: [u => drawMarks(u, chart.marks || [])] },
    };
    if (chart.days) options.tzDate = t => uPlot.tzDate(new Date(t * 1000), "Etc/UTC");
    element.replaceChildren();
    plots.set(element, new uPlot(options, data, element));
  }
  function barsApart(values, chart) {
    return [values.map((v, i) => chart.times[i] < chart.provisional ? v : null), values.map((v, i) => chart.times[i] >= chart.provisional ? v : null)];
  }
  function drawMarks(u, marks) {
    const ctx = u.ctx, ratio = devicePixelRatio || 1;
    ctx.save();
    for (const m of marks) {
      if (m.at < u.scales.x.min || m.at > u.scales.x.max) continue;
      const x = Math.round(u.valToPos(m.at, "x", true)), top = u.bbox.top, size = 4 * ratio;
      ctx.strokeStyle = ctx.fillStyle = css(markColors[m.kind] || "--muted");
      ctx.lineWidth = ratio;
      ctx.setLineDash([]);
      ctx.beginPath(); ctx.moveTo(x, top); ctx.lineTo(x, top + u.bbox.height); ctx.stroke();
      ctx.beginPath();
      if (m.kind === "alert") ctx.arc(x, top + size, size, 0, 7);
      else if (m.kind === "release") ctx.rect(x - size, top, 2 * size, 2 * size);
      else { ctx.moveTo(x, top); ctx.lineTo(x + size, top + size); ctx.lineTo(x, top + 2 * size); ctx.lineTo(x - size, top + size); }
      ctx.fill();
    }
    ctx.restore();
  }
  function drawAll(root) {
    for (const [element, plot] of plots) if (!element.isConnected) { plot.destroy(); plots.delete(element); }
    for (const element of root.querySelectorAll("[data-plot]")) draw(element);
  }
  function save(button) {
    const figure = button.closest("figure"), source = figure.querySelector("canvas");
    if (!source) return;
    const out = document.createElement("canvas"), ctx = out.getContext("2d"), ratio = devicePixelRatio || 1, head = 28 * ratio;
    out.width = source.width; out.height = source.height + head;
    ctx.fillStyle = css("--surface"); ctx.fillRect(0, 0, out.width, out.height);
    ctx.fillStyle = css("--text"); ctx.font = `${14 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    const name = figure.querySelector("figcaption").firstChild.textContent.trim();
    ctx.fillText(`${document.querySelector("h1").textContent} · ${name}`, 8 * ratio, 19 * ratio);
    ctx.drawImage(source, 0, head);
    out.toBlob(blob => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = name.toLowerCase().replace(/[^a-z0-9]+/g, "-") + ".png";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }

  // --- news ---
  const body = document.body, live = document.getElementById("live"), text = document.getElementById("live-text"), said = document.getElementById("live-said");
  const silence = 12000; // twice the server's beat, and some
  let heard = 0, completeTo = null, lost = false;
  const due = new Map(), fetched = new Map(); // panel id -> timer, time

  function news(panels) {
    for (const panel of panels) {
      const every = Number(panel.dataset.every) * 1000;
      if (!every || due.has(panel.id)) continue;
      const wait = Math.max(0, (fetched.get(panel.id) || 0) + every - Date.now());
      due.set(panel.id, setTimeout(() => {
        due.delete(panel.id);
        fetched.set(panel.id, Date.now());
        if (!document.hidden && !panel.querySelector(".panel-body :is(input, select):focus")) htmx.trigger(panel, "refresh");
      }, wait));
    }
  }
  function state(name, words) {
    if (live.dataset.state !== name) {
      if (name === "stale" || live.dataset.state === "stale") said.textContent = words;
      live.dataset.state = name;
      body.classList.toggle("stale", name === "stale");
    }
    text.textContent = words;
  }
  function take(event) {
    const told = JSON.parse(event.data), main = told.complete_to?.[told.main];
    heard = Date.now();
    completeTo = main ? new Date(main) : null;
    live.title = Object.entries(told.complete_to || {}).map(([topic, t]) => `${topic}: complete to ${when.format(new Date(t))}`).join("\n");
    const today = completeTo && completeTo.toDateString() === new Date().toDateString();
    state("live", completeTo && completeTo > 0 ? `complete to ${(today ? clock : when).format(completeTo)}` : "live; nothing was read yet");
    if (event.type === "tick" || lost) news(document.querySelectorAll(".panel[data-every]"));
    lost = false;
    body.dataset.version = told.version;
  }
  function watch() {
    const stream = new EventSource("/events");
    stream.addEventListener("tick", take);
    stream.addEventListener("beat", take);
    stream.addEventListener("error", () => {
      if (stream.readyState !== EventSource.CLOSED) return; // it tries again by itself
      stream.close();
      setTimeout(watch, 5000);
    });
    addEventListener("pagehide", () => stream.close(), { once: true });
  }
  const started = Date.now();
  setInterval(() => {
    if (Date.now() - (heard || started) < silence) return;
    lost = true;
    state("stale", heard ? `no news since ${clock.format(heard)}` : "no news: the stream is broken");
  }, 1000);

  // --- together ---
  const wasOpen = new Map(), answers = new Map();
  const controls = panel => [...panel.querySelectorAll(".panel-body :is(a[href], button, summary, [tabindex])")];
  const boxes = panel => [...panel.querySelectorAll(".scroll")];
  const scrolled = new Map(); // panel id -> how far its boxes are
  let focused = null; // the panel and the place in it of what has the focus while it is swapped, so that the keyboard stays where it is
  document.addEventListener("htmx:beforeSwap", event => {
    const panel = event.target.closest(".panel");
    if (!panel) return;
    const { status, responseText: answer } = event.detail.xhr;
    if (status >= 400 && !answer.startsWith('<div class="message bad"')) { // of something in between, such as a proxy
      event.detail.shouldSwap = false;
      if (status === 401) location.reload(); // it leads to where one signs in
      else failed(event);
      return;
    }
    const again = Number(event.detail.xhr.getResponseHeader("Tidemark-Again-In")); // others were shown it just before the news
    if (again) setTimeout(() => news([panel]), again);
    if (answers.get(panel.id) === answer) { event.detail.shouldSwap = false; return; }
    answers.set(panel.id, answer);
    wasOpen.set(panel.id, [...panel.querySelectorAll("details")].map(d => d.open));
    scrolled.set(panel.id, boxes(panel).map(b => b.scrollLeft));
    const place = controls(panel).indexOf(document.activeElement);
    focused = place < 0 ? null : { panel, place };
  });
  document.addEventListener("htmx:afterSwap", event => {
    const panel = event.target.closest(".panel");
    if (!panel) return;
    const open = wasOpen.get(panel.id) || [];
    panel.querySelectorAll("details").forEach((d, i) => { d.open = Boolean(open[i]); });
    fetched.set(panel.id, Date.now());
    localise(panel);
    drawAll(panel);
    boxes(panel).forEach((b, i) => { b.scrollLeft = scrolled.get(panel.id)?.[i] ?? 0; });
    if (focused?.panel === panel) controls(panel)[focused.place]?.focus({ preventScroll: true });
    focused = null;
  });
  // The board did not answer at all: what it would have said of its own problems is said here.
  const failed = event => {
    const loading = event.target.closest(".panel")?.querySelector(".loading");
    if (!loading) return; // what was shown before stays, and the stream tells that it is old
    const message = document.createElement("div"), title = document.createElement("strong"), more = document.createElement("span");
    message.className = "message bad"; message.role = "alert";
    title.textContent = "The board does not answer"; more.textContent = " These figures did not come. Reload the page to try again.";
    message.append(title, more); loading.replaceWith(message);
  };
  document.addEventListener("htmx:sendError", failed);
  document.addEventListener("htmx:timeout", failed);
  // What has the focus must not lie under the column that stays where it is.
  document.addEventListener("focusin", event => {
    const stays = event.target.closest(".scroll tbody tr")?.firstElementChild;
    if (!stays || stays.contains(event.target)) return;
    const under = stays.getBoundingClientRect().right - event.target.getBoundingClientRect().left;
    if (under > 0) stays.closest(".scroll").scrollLeft -= under + 8;
  });
  document.addEventListener("click", event => {
    const button = event.target.closest("button.png");
    if (button) save(button);
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) news(document.querySelectorAll(".panel[data-every]")); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
  let resizing;
  addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => { for (const [e, p] of plots) p.setSize({ width: Math.max(e.clientWidth, 200), height: 210 }); }, 100);
  });
  localise(document);
  drawAll(document);
  const zone = document.getElementById("zone");
  if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (live) watch();
})();
