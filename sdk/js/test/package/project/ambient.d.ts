// What every host has, and TypeScript's own libraries for neither browsers nor Node.
interface AbortSignal {
  readonly aborted: boolean;
}
