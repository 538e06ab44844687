/**
 * Counts how often each component renders, as React's developer tools find it out: they are told of each
 * commit, and look for what has worked. Import it before React.
 */

/** Of React's fibers, as far as this needs them. */
interface Fiber {
  type: { name?: string; render?: { name?: string }; type?: { name?: string } } | string | null;
  flags: number;
  memoizedProps: { id?: string } | null;
  alternate: Fiber | null;
  child: Fiber | null;
  sibling: Fiber | null;
}

const PERFORMED_WORK = 1;

/** By the component's name; a component with an `id` also by `Name id`. */
export const renders: Record<string, number> = {};

Object.assign(globalThis, {
  __REACT_DEVTOOLS_GLOBAL_HOOK__: {
    isDisabled: false,
    supportsFiber: true,
    inject: () => 1,
    onCommitFiberRoot: (_renderer: number, root: { current: Fiber }) => count(root.current),
    onCommitFiberUnmount() {},
    onPostCommitFiberRoot() {},
    checkDCE() {},
  },
});

function count(fiber: Fiber): void {
  const before = fiber.alternate;
  const name = nameOf(fiber);
  if (name && (fiber.flags & PERFORMED_WORK) !== 0) {
    add(name);
    if (fiber.memoizedProps?.id) add(`${name} ${fiber.memoizedProps.id}`);
  }
  // Children that are the same objects as in the commit before have not been looked at.
  if (before && before.child === fiber.child) return;
  for (let child = fiber.child; child; child = child.sibling) {
    if (!before || !isChildOf(before, child)) count(child);
  }
}

function isChildOf(parent: Fiber, fiber: Fiber): boolean {
  for (let child = parent.child; child; child = child.sibling) if (child === fiber) return true;
  return false;
}

function nameOf({ type }: Fiber): string | undefined {
  if (typeof type === "string" || type === null) return undefined;
  return type.name ?? type.render?.name ?? type.type?.name;
}

function add(key: string): void {
  renders[key] = (renders[key] ?? 0) + 1;
}
