// A booking's page says all without this script; with it, the clock of a hold runs by the server's time and
// the page notices by itself what becomes of the booking.
const page = document.querySelector(".booking");
const clock = document.getElementById("clock");
const news = document.getElementById("clock-news");
const look = document.getElementById("look");

let endsAt = 0;
let lastLeft = Infinity;
let waiting = 0;

// Stripe has sent the guest back: have it asked once what became of the payment.
if (look) {
  fetch(look.action, { method: "POST", body: new FormData(look), redirect: "manual" });
}

function setClock(secondsLeft) {
  endsAt = performance.now() + secondsLeft * 1000;
  showClock();
}

function showClock() {
  if (!clock) return;
  const left = Math.max(0, Math.ceil((endsAt - performance.now()) / 1000));
  clock.hidden = false;
  clock.firstElementChild.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  if (left <= 60 && lastLeft > 60) news.textContent = news.dataset.one;
  else if (left <= 300 && left > 60 && lastLeft > 300) news.textContent = news.dataset.five;
  if (left === 0 && lastLeft > 0) ask();
  lastLeft = left;
}

async function ask() {
  clearTimeout(waiting);
  try {
    const answer = await fetch(page.dataset.state + location.search, { headers: { Accept: "application/json" } });
    const state = await answer.json();
    if (state.stage !== page.dataset.stage) {
      location.reload();
      return;
    }
    if (clock) setClock(state.seconds_left);
    page.dataset.lookAfter = state.look_after;
  } catch {
    // Offline, or the server is: the next look will tell.
  }
  lookLater();
}

function lookLater() {
  const seconds = Number(page.dataset.lookAfter);
  if (seconds > 0) waiting = setTimeout(() => (document.hidden ? lookLater() : ask()), seconds * 1000);
}

if (clock) {
  setClock(Number(page.dataset.secondsLeft));
  setInterval(showClock, 1000);
}
lookLater();
// A telephone that slept, or a page taken back from the browser's memory, has lost the time.
addEventListener("pageshow", (event) => event.persisted && ask());
document.addEventListener("visibilitychange", () => !document.hidden && Number(page.dataset.lookAfter) > 0 && ask());
