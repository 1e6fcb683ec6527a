/** The hash of the sources this page was built from (vite.config.ts). */
declare const __BUILD__: string

interface Window {
  /** For automation: what tests and people at the console may rely on. */
  attn: import("./automation").Automation
}
