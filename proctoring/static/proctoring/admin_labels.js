// Django's completion draws a field of its own in the place of the one that has a label.
window.addEventListener("load", () => {
  for (const select of document.querySelectorAll("select.admin-autocomplete")) {
    const drawn = document.getElementById(`select2-${select.id}-container`);
    const label = document.querySelector(`label[for="${select.id}"]`);
    if (drawn && label) drawn.setAttribute("aria-label", label.textContent.trim().replace(/:$/, ""));
  }
});
