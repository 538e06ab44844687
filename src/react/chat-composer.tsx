import { type FormEvent, type KeyboardEvent, useEffect, useId, useRef } from "react";
import { useChat } from "./chat-context.js";
import { composeDraft, returnToDraft, useDraft, writeDraft } from "./composer-draft.js";
import { isForInputMethod } from "./composition.js";

/** The field to write in. A message that is refused comes back into it, with the reason. */
export function ChatComposer({ onSend }: { onSend: () => void }) {
  const { client, ownerId, labels } = useChat();
  const draftKey = JSON.stringify([client.spaceId, ownerId]);
  const { text, error } = useDraft(draftKey);
  const field = useRef<HTMLTextAreaElement>(null);
  const id = useId();
  const errorId = `${id}-error`;

  useEffect(() => () => composeDraft(draftKey, false), [draftKey]);

  const send = () => {
    if (text.trim() === "") return;
    writeDraft(draftKey, "");
    client
      .createIntention({ content: [text], ...(ownerId !== undefined && { ownerId }) })
      .catch((refusal: Error) => returnToDraft(draftKey, text, refusal.message));
    onSend();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || isForInputMethod(event)) return;
    event.preventDefault();
    send();
  };

  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    send();
    field.current?.focus();
  };

  return (
    <form className="sf-composer" onSubmit={onSubmit}>
      <div className="sf-composer-error" id={errorId} role="alert">
        {error}
      </div>
      <label className="sf-composer-label" htmlFor={id}>
        {labels.message}
      </label>
      <textarea
        ref={field}
        id={id}
        className="sf-composer-field"
        dir="auto"
        rows={2}
        enterKeyHint="send"
        value={text}
        aria-invalid={error !== null}
        aria-describedby={error === null ? undefined : errorId}
        onChange={(event) => writeDraft(draftKey, event.target.value)}
        onKeyDown={onKeyDown}
        onCompositionStart={() => composeDraft(draftKey, true)}
        onCompositionEnd={() => composeDraft(draftKey, false)}
      />
      <button type="submit" className="sf-composer-send">
        {labels.send}
      </button>
    </form>
  );
}
