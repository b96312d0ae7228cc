/** Marks of slots without an id: never used, or its id was removed. */
export const FREE = 0;
export const TAKEN_BACK = 65_535;

/**
 * Numbers of 16 bits for hours, each in use while an id has it.
 *
 * With all numbers in use, an hour shares that of the latest one, and so is forgotten later than it could be.
 */
export class HourNumbers {
  /** Numbers of the hours that are not forgotten. */
  readonly #numbers = new Map<number, number>();
  /** Hours by number; NaN: forgotten or unused. */
  readonly #hours: number[] = [NaN];
  /** Ids by number. */
  readonly #ids: number[] = [0];
  readonly #unused: number[] = [];
  /** The latest hour that is not forgotten. */
  #latest = -Infinity;
  #lastHour = NaN;
  #lastNumber = 0;

  /** The number of an hour, for one more id. */
  take(hour: number): number {
    if (hour !== this.#lastHour) {
      this.#lastNumber = this.#numbers.get(hour) ?? this.#numberFor(hour);
      this.#lastHour = hour;
    }
    this.#ids[this.#lastNumber]!++;
    return this.#lastNumber;
  }

  /** Counts one id less. */
  release(number: number): void {
    const ids = --this.#ids[number]!;
    if (ids === 0 && this.isForgotten(number)) this.#unused.push(number);
  }

  /** Whether the ids of a number may be dropped. */
  isForgotten(number: number): boolean {
    return Number.isNaN(this.#hours[number]!);
  }

  forget(beforeHour: number): void {
    for (const [hour, number] of this.#numbers) {
      if (hour >= beforeHour) continue;
      this.#numbers.delete(hour);
      this.#hours[number] = NaN;
      if (this.#ids[number] === 0) this.#unused.push(number);
    }
    if (this.#latest < beforeHour) this.#latest = -Infinity;
    this.#lastHour = NaN;
  }

  #numberFor(hour: number): number {
    if (this.#unused.length === 0) {
      if (this.#hours.length === TAKEN_BACK && this.#numbers.size > 0) {
        return this.#numbers.get(this.#latest)!;
      }
      this.#unused.push(this.#hours.length === TAKEN_BACK ? FREE + 1 : this.#hours.length);
    }
    const number = this.#unused.pop()!;
    this.#numbers.set(hour, number);
    this.#latest = Math.max(this.#latest, hour);
    this.#hours[number] = hour;
    this.#ids[number] ??= 0;
    return number;
  }
}
