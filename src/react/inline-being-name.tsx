import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { isForInputMethod } from "./composition.js";
import { cachedName } from "./conversation.js";
import { useBeing } from "./use-entity.js";
import { useSelected, useSharedClient } from "./use-space-client.js";

export interface InlineBeingNameProps {
  spaceId: string;
  beingId: string;
  /** What the name is of, for screen readers. Unless given: "Name". */
  label?: string;
  className?: string;
}

/**
 * A being's name, which can be changed where it stands: click it or press Enter. Then Enter saves, Escape
 * leaves it as it was, and so does an empty name; going elsewhere saves, too. It shows at once; a name
 * that is refused shows why, and is there again at the next attempt.
 *
 * Parts: `sf-name`, in it `sf-name-button` or `sf-name-input`, and `sf-name-error`. `data-pending` while the
 * change is on its way. It brings no styles.
 */
export function InlineBeingName(props: InlineBeingNameProps) {
  // What was typed for one being is not another one's name.
  return <NameOfBeing key={`${props.spaceId} ${props.beingId}`} {...props} />;
}

function NameOfBeing({ spaceId, beingId, label = "Name", className }: InlineBeingNameProps) {
  const client = useSharedClient(spaceId);
  const being = useBeing(spaceId, beingId);
  const isPending = useSelected(client, ({ pendingIds }) => pendingIds.has(beingId));
  const [typed, setTyped] = useState<string | null>(null);
  const [refusal, setRefusal] = useState<{ name: string; reason: string } | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const isFocusReturning = useRef(false);

  const known = useSelected(
    client,
    () => cachedName(beingId),
    () => undefined,
  );
  const name = being?.name ?? known ?? "";
  const isEditing = typed !== null;

  useEffect(() => {
    if (isEditing) input.current?.select();
    else if (isFocusReturning.current) button.current?.focus();
    isFocusReturning.current = false;
  }, [isEditing]);

  const cancel = () => {
    setTyped(null);
    setRefusal(null);
  };

  const save = () => {
    const wanted = typed?.trim();
    cancel();
    if (!wanted || wanted === name) return;
    client.updateBeing(beingId, { name: wanted }).catch((error: Error) => {
      setRefusal({ name: wanted, reason: error.message });
    });
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if ((event.key !== "Enter" && event.key !== "Escape") || isForInputMethod(event)) return;
    event.preventDefault();
    event.stopPropagation(); // Escape is not meant for the dialog around it
    isFocusReturning.current = true;
    if (event.key === "Enter") save();
    else cancel();
  };

  return (
    <span className={className ? `sf-name ${className}` : "sf-name"} data-pending={isPending || undefined}>
      {isEditing ? (
        <input
          ref={input}
          className="sf-name-input"
          dir="auto"
          aria-label={label}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          onKeyDown={onKeyDown}
          onBlur={save}
        />
      ) : (
        <button
          ref={button}
          type="button"
          className="sf-name-button"
          aria-label={name ? `${label}: ${name}` : label}
          disabled={!being}
          onClick={() => setTyped(refusal?.name ?? name)}
        >
          <span dir="auto">{name || label}</span>
        </button>
      )}
      <span className="sf-name-error" role="alert">
        {refusal?.reason}
      </span>
    </span>
  );
}
