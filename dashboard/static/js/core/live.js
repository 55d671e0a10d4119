/** What changes by itself: server-sent events, and asking now and then. */

/**
 * Listen to a job's events. The browser comes back by itself after a break and says which event it
 * had last (`Last-Event-ID`); where the stream is refused, we try again, ever more slowly.
 *
 * @param {string} path Of the stream.
 * @param {{types: string[], onEvent: function(string, any): void,
 *   onState: function('live'|'reconnecting'): void, isOver: function(): boolean,
 *   signal: AbortSignal}} options `isOver` says that nothing more is to come, so that the end of the
 *   stream is no break.
 */
export function listen(path, { types, onEvent, onState, isOver, signal }) {
  let pause = 1000;
  let source = null;
  let timer = null;
  const open = () => {
    if (signal.aborted || isOver()) return;
    source = new EventSource(path);
    source.addEventListener('open', () => {
      pause = 1000;
      onState('live');
    });
    for (const type of types)
      source.addEventListener(type, (event) => {
        onEvent(type, JSON.parse(event.data));
        // The service ends the stream after the last event; the browser would ask for more.
        if (isOver()) source.close();
      });
    source.addEventListener('error', () => {
      if (isOver()) {
        source.close();
        return;
      }
      onState('reconnecting');
      if (source.readyState === EventSource.CLOSED) {
        timer = setTimeout(open, pause);
        pause = Math.min(pause * 2, 30000);
      }
    });
  };
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    source?.close();
  });
  open();
}

/**
 * Call a function now and again and again, until it says that it is enough. Nothing is asked while
 * nobody looks.
 *
 * @param {function(): Promise<boolean|void>} look Returns true when it need not be called again.
 * @param {number} milliseconds Between two calls.
 * @param {AbortSignal} signal
 */
export function poll(look, milliseconds, signal) {
  let timer = null;
  let isLooking = false;
  const again = async () => {
    if (signal.aborted || isLooking) return;
    isLooking = true;
    let isEnough = false;
    try {
      if (!document.hidden) isEnough = (await look()) === true;
    } catch (error) {
      if (error.name === 'AbortError') isEnough = true;
      // Anything else may be over at the next look; what is shown says how old it is.
    } finally {
      isLooking = false;
    }
    if (!isEnough && !signal.aborted) timer = setTimeout(again, milliseconds);
  };
  const seen = () => {
    if (!document.hidden) {
      clearTimeout(timer);
      again();
    }
  };
  document.addEventListener('visibilitychange', seen, { signal });
  signal.addEventListener('abort', () => clearTimeout(timer));
  again();
}

/** Return a promise of some time; rejected when `signal` is aborted. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(new DOMException('aborted', 'AbortError'));
      },
      { once: true },
    );
  });
}
