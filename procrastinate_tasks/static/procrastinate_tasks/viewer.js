"use strict";
// Refreshes a page's live region. Without this script every page works, and is as new as its last load.
{
  const region = document.querySelector("[data-live]");
  const controls = document.querySelector("[data-live-controls]");
  const KEY = "job-viewer-refresh";
  let every = 15;
  let loadedAt = Date.now();
  let readAt = loadedAt;
  let failures = 0;
  let tag = "";
  let timer = 0;
  let fetching = null;
  let hasEnded = false;

  const remembered = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const remember = (value) => { try { localStorage.setItem(KEY, value); } catch { /* private window */ } };

  const isChoosing = () => {
    const focused = document.activeElement;
    const writes = focused && focused.closest("#content") && focused.matches("input, select, textarea") && !focused.closest("[data-live-controls]");
    return writes || document.querySelector("#content input[type=checkbox]:checked, [data-live] .jv-menu[open]") !== null || !document.getSelection().isCollapsed;
  };

  // The age ticks for the eye only; what is announced changes when something happens.
  const say = () => {
    const status = controls.querySelector("[data-live-status]");
    const age = controls.querySelector("[data-live-age]");
    const happens = hasEnded ? "ended" : every && failures ? "failed" : every && isChoosing() ? "paused" : "updated";
    if (status.textContent !== status.dataset[happens]) status.textContent = status.dataset[happens];
    age.textContent = happens === "updated" ? age.dataset.ago.replace("%s", `${Math.round(Math.max(Date.now() - readAt, 0) / 1000)} s`) : "";
  };

  // Ages grow here: a region that is otherwise as it was is not sent again. The server's clock counts.
  const age = controls?.querySelector("[data-live-age]");
  const ahead = age ? Date.parse(age.dataset.now) - Date.now() : 0;
  const SPANS = [[86400, "d"], [3600, "h"], [60, "min"], [0, "s"]];
  const inWords = (seconds) => { const [size, unit] = SPANS.find(([each]) => seconds >= each); return `${Math.floor(seconds / (size || 1))} ${unit}`; };
  const grow = () => region.querySelectorAll("time[data-age]").forEach((time) => {
    const seconds = (Date.now() + ahead - Date.parse(time.dateTime)) / 1000;
    const frame = time.dataset.age === "span" ? "%s" : seconds < 0 ? age.dataset.in : age.dataset.ago;
    const words = frame.replace("%s", inWords(Math.abs(seconds)));
    if (time.textContent !== words) time.textContent = words;
  });
  // What several tabs share was read some seconds before it came here.
  const setAsOf = (words, instant) => {
    const asOf = words && region.querySelector("time[data-as-of]");
    if (asOf) { asOf.textContent = decodeURIComponent(words); asOf.dateTime = instant; }
    readAt = asOf ? Math.min(Date.parse(instant) - ahead, Date.now()) : Date.now();
  };

  const pause = () => Math.min(every * 2 ** failures, 300);

  // Keeps focus and open details by what identifies them, and the scroll by replacing nothing else.
  const replace = (html) => {
    const focused = region.contains(document.activeElement) ? document.activeElement : null;
    const href = focused && (focused.getAttribute("href") || focused.value || focused.getAttribute("aria-label"));
    const open = [...region.querySelectorAll("details[id][open]")].map((details) => details.id);
    const { scrollX, scrollY } = window;
    region.innerHTML = html;
    open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    if (href) [...region.querySelectorAll("a, button, summary")].find((each) => [each.getAttribute("href"), each.value, each.getAttribute("aria-label")].includes(href))?.focus({ preventScroll: true });
    window.scrollTo(scrollX, scrollY);
  };

  // The address is this page's own: who follows it logs in, and comes back to what is on the screen.
  const endSession = () => {
    const link = controls.querySelector("[data-live-login]");
    hasEnded = true;
    link.href = location.href;
    link.hidden = false;
  };

  const refresh = async () => {
    fetching = new AbortController();
    try {
      const seen = region.querySelector("time[data-as-of]")?.dateTime;
      const headers = { "X-Live-Region": "1", ...(tag && { "If-None-Match": tag }), ...(seen && { "X-Seen-As-Of": seen }) };
      const response = await fetch(location.href, { headers, cache: "no-store", credentials: "same-origin", redirect: "error", signal: fetching.signal });
      if (response.status !== 304) {
        if (response.status === 401) return endSession();
        if (!response.ok) throw new Error(response.status);
        const html = await response.text();
        if (isChoosing()) return;
        tag = response.headers.get("ETag") || "";
        replace(html);
      }
      setAsOf(response.headers.get("X-As-Of"), response.headers.get("X-Read-At"));
      loadedAt = Date.now();
      failures = 0;
    } catch (error) {
      if (error.name !== "AbortError") failures = Math.min(failures + 1, 5);
    } finally {
      fetching = null;
    }
  };

  const tick = async () => {
    const isDue = !hasEnded && every && (Date.now() - loadedAt) / 1000 >= pause();
    if (isDue && !document.hidden && !fetching && !isChoosing()) {
      await refresh();
      if (failures) loadedAt = Date.now();
    }
    if (!document.hidden && !isChoosing()) grow();
    say();
  };

  if (region && controls) {
    const select = controls.querySelector("[data-live-every]");
    if ([...select.options].some((option) => option.value === remembered())) select.value = remembered();
    every = Number(select.value);
    controls.hidden = false;
    controls.addEventListener("submit", (event) => event.preventDefault());
    select.addEventListener("change", () => { every = Number(select.value); failures = 0; remember(select.value); say(); });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
    timer = setInterval(tick, 1000);
    window.addEventListener("pagehide", () => { clearInterval(timer); fetching?.abort(); });
    window.addEventListener("pageshow", (event) => { if (event.persisted) timer = setInterval(tick, 1000); });
    say();
  }

  // A menu closes by Esc and by a click beside it; a form is sent once however often it is clicked.
  const closeMenus = (except) => document.querySelectorAll(".jv-menu[open]").forEach((menu) => { if (menu !== except) menu.open = false; });
  document.addEventListener("click", (event) => closeMenus(event.target.closest(".jv-menu")));
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && document.activeElement.closest(".jv-menu[open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  document.querySelectorAll("[data-copy]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
      button.textContent = button.dataset.copied;
    });
  });
}
