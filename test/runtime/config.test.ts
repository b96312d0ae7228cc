import { describe, expect, it } from 'vitest';
import { ConfigError, flag, oneOf, readConfig, text, whole } from '../../runtime/config.ts';

const settings = {
  url: text('URL', 'where the stream is', 'nats://127.0.0.1:4222'),
  secret: text('SECRET', 'the secret'),
  port: whole('PORT', 'port to listen on', 4001, 0, 65535),
  mode: oneOf('MODE', 'how', ['fast', 'safe'], 'safe'),
  on: flag('ON', 'whether', false),
};

describe('readConfig', () => {
  it('takes defaults where a variable is absent or empty', () => {
    const values = readConfig(settings, { SECRET: 's', PORT: '' });
    expect(values).toEqual({ url: 'nats://127.0.0.1:4222', secret: 's', port: 4001, mode: 'safe', on: false });
  });

  it('reads every kind of setting', () => {
    const values = readConfig(settings, { URL: 'x', SECRET: 's', PORT: '0', MODE: 'fast', ON: 'true' });
    expect(values).toEqual({ url: 'x', secret: 's', port: 0, mode: 'fast', on: true });
  });

  it('reports all faults at once, each with what to write', () => {
    const faults = (): string[] => {
      try {
        readConfig(settings, { PORT: '70000', MODE: 'slow', ON: 'yes' });
        return [];
      } catch (error) {
        return error instanceof ConfigError ? error.faults : [];
      }
    };
    expect(faults()).toEqual([
      'SECRET is not set; expected a text (the secret)',
      'PORT=70000 is not a whole number, 0 to 65535 (port to listen on)',
      'MODE=slow is not one of fast, safe (how)',
      'ON=yes is not true or false (whether)',
    ]);
  });
});
