import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dateTimeMs } from '../../schemas/dateTime.ts';

describe('a date-time', () => {
  it('of any instant reads as V8 reads it', () => {
    const instant = fc.date({
      min: new Date('0001-01-02T00:00:00Z'),
      max: new Date('9999-12-30T00:00:00Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(
        instant,
        fc.integer({ min: -840, max: 840 }),
        fc.integer({ min: 0, max: 9 }),
        (date, offset, digits) => {
          const iso = new Date(date.getTime() + offset * 60_000).toISOString();
          const fraction = digits === 0 ? '' : `.${iso.slice(20, 23).padEnd(9, '7').slice(0, digits)}`;
          const sign = offset < 0 ? '-' : '+';
          const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60];
          const zone = `${sign}${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
          const text = `${iso.slice(0, 19)}${fraction}${offset === 0 ? 'Z' : zone}`;
          expect(dateTimeMs(text), text).toBe(Date.parse(text));
        },
      ),
    );
  });

  it.each([
    '2024-02-29T00:00:00Z',
    '2000-02-29T23:59:59.123456789-14:00',
    '2026-12-31T23:59:59+14:00',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999Z',
    '2026-01-01T00:00:00-00:00',
  ])('is %s', (text) => expect(dateTimeMs(text)).toBe(Date.parse(text)));

  it.each([
    '',
    '2026-11-23',
    '2026-11-23T10:00:00',
    '2026-11-23 10:00:00Z',
    '2026-11-23t10:00:00Z',
    '2026-11-23T10:00:00z',
    '2026-11-23T10:00Z',
    '2026-02-29T10:00:00Z',
    '1900-02-29T10:00:00Z',
    '2026-04-31T10:00:00Z',
    '2026-13-01T10:00:00Z',
    '2026-00-01T10:00:00Z',
    '2026-01-00T10:00:00Z',
    '2026-11-23T24:00:00Z',
    '2026-11-23T10:60:00Z',
    '2026-11-23T23:59:60Z',
    '2026-11-23T10:00:00.Z',
    '2026-11-23T10:00:00,5Z',
    '2026-11-23T10:00:00.1234567890Z',
    '2026-11-23T10:00:00+14:01',
    '2026-11-23T10:00:00+13:60',
    '2026-11-23T10:00:00+1400',
    '2026-11-23T10:00:00+14',
    '2026-11-23T10:00:00Z ',
    ' 2026-11-23T10:00:00Z',
    '2026-11-23T10:00:00ZZ',
    '+002026-11-23T10:00:00Z',
    '2026-1１-23T10:00:00Z',
    '0000-12-31T23:59:59Z',
    '0001-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
  ])('is not %s', (text) => expect(dateTimeMs(text)).toBeNaN());
});
