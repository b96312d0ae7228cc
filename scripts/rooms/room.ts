/**
 * A folder of code with its allowed imports.
 *
 * `lake` means the files directly in that folder, and `lake/*` includes those of its sub-rooms.
 */
export interface Room {
  /** Folder from the root of the repository, such as `lake/delta`. */
  path: string;
  /** Contents of the room, for the picture. */
  holds: string;
  /** Rooms from which it may import, besides itself. */
  imports: readonly string[];
  /** Patterns of npm packages that it must not import. */
  forbidden?: readonly string[];
  /** Whether it runs in a browser, and imports types only. */
  typesOnly?: boolean;
}
