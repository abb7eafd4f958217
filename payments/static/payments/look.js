// Stripe has sent the guest back: have it asked once what became of the payment. The page reloads by itself.
const look = document.getElementById("look");
fetch(look.action, { method: "POST", body: new FormData(look), redirect: "manual" });
