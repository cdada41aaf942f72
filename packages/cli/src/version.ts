// The version of this build.

import manifest from "@flow/cli/package.json" with { type: "json" };

export const VERSION: string = manifest.version;
