/** As little as a page must bring: a height. And margins, as pages have them, which are not easily measured. */
const STYLE = `
  body { margin: 0; font: 16px/20px sans-serif; }
  .sf-chat { display: flex; flex-direction: column; height: 400px; width: 400px; }
  .sf-chat-list { flex: 1; }
  .sf-message-part { white-space: pre-wrap; }
  .sf-message-content { margin: 3px 0; }
`;

const element = document.createElement("style");
element.textContent = STYLE;
document.head.append(element);
