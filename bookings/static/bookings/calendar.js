// A click on two days of the calendar fills the form in. Without this the form is typed into, as ever.
"use strict";

(() => {
  const calendar = document.querySelector("#calendar");
  const [checkIn, checkOut] = ["check_in", "check_out"].map((name) => document.querySelector(`.stay-form [name=${name}]`));
  if (!calendar || !checkIn || !checkOut) return;

  const cells = [...calendar.querySelectorAll("[data-day]")];
  const words = calendar.querySelector("[data-words]");
  const closed = new Set(["departure_only", "taken", "shut"]);
  let arrival = "";

  const staysOpen = (from, until) =>
    cells.every(({ dataset: { day, state } }) => day < from || day >= until || !closed.has(state));

  const paint = (from, until) => {
    for (const cell of cells) cell.classList.toggle("day-picked", cell.dataset.day >= from && cell.dataset.day <= until);
  };

  const arrive = (day) => {
    arrival = checkIn.value = day;
    checkOut.value = "";
    paint(day, day);
    words.textContent = calendar.dataset.arrival;
  };

  const leave = (day) => {
    checkOut.value = day;
    paint(arrival, day);
    arrival = "";
    words.textContent = calendar.dataset.departure;
    document.querySelector(".stay-form .button").focus();
  };

  const choose = ({ day, state }) => {
    if (arrival && day > arrival && staysOpen(arrival, day)) leave(day);
    else if (state === "free") arrive(day);
  };

  for (const cell of cells) {
    if (!["free", "no_arrival", "departure_only"].includes(cell.dataset.state)) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...cell.childNodes);
    button.addEventListener("click", () => choose(cell.dataset));
    cell.append(button);
  }
})();
