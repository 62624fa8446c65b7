// Small comforts of the desk; everything works without them.
for (const form of document.querySelectorAll("form[method=post]")) {
  // Pressed twice is meant once.
  form.addEventListener("submit", () => { for (const button of form.querySelectorAll("button")) button.disabled = true; });
}
