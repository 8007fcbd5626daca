// What is nicer with a script, and missing without: buttons that copy, and the address of the
// report in the address line once it is there.
"use strict";

function copyButtons(root) {
  for (const block of root.querySelectorAll("pre.paste:not([data-copies])")) {
    block.dataset.copies = "";
    const around = document.createElement("div");
    around.className = "pasted";
    block.replaceWith(around);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      let done = false;
      try {
        await navigator.clipboard.writeText(block.textContent.trimEnd());
        done = true;
      } catch {
        const selection = getSelection();
        selection.selectAllChildren(block);
        try { done = document.execCommand("copy"); } catch { done = false; }
      }
      button.textContent = done ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    around.append(block, button);
  }
}

// A link into the evidence opens what it points at, in browsers that do not do so themselves.
function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let at = target; at; at = at.parentElement) {
    if (at.tagName === "DETAILS") at.open = true;
  }
  if (target) target.scrollIntoView();
}

copyButtons(document);
const report = document.getElementById("report");
if (report?.dataset.address && location.pathname === "/check") {
  history.replaceState(null, "", report.dataset.address + location.hash);
}
if (location.hash) open();
addEventListener("hashchange", open);
