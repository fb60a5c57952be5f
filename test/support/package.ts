import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";

const root = new URL("../..", import.meta.url).pathname;

const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  dependencies: object;
};
/** What a user of the package has beside it, from where this repository has it. */
const BESIDE = [...Object.keys(dependencies), "@cloudflare/workers-types", "@types/node"];

/** The package as `npm pack` makes it, installed in a folder of its own, with the programs of a page of the docs. */
export class InstalledPackage {
  readonly folder = mkdtempSync(join(tmpdir(), "portcullis-package-"));
  readonly home = join(this.folder, "node_modules", "portcullis");

  constructor() {
    execFileSync("npm", ["pack", "--silent", "--pack-destination", this.folder], {
      cwd: root,
      stdio: "pipe",
    });
    const packed = readdirSync(this.folder).find((name) => name.endsWith(".tgz"))!;
    mkdirSync(this.home, { recursive: true });
    execFileSync("tar", ["-xzf", packed, "-C", this.home, "--strip-components=1"], { cwd: this.folder });
    for (const name of BESIDE) {
      const link = join(this.folder, "node_modules", name);
      mkdirSync(join(link, ".."), { recursive: true });
      symlinkSync(join(root, "node_modules", name), link);
    }
  }

  /** Writes the page's programs to files, named by their first lines; answers the names. */
  addPrograms(page: string): string[] {
    const text = readFileSync(join(root, "docs", page), "utf8");
    const programs = Array.from(text.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g));
    for (const [, name, code] of programs) writeFileSync(join(this.folder, name!), code!);
    return programs.map(([, name]) => name!);
  }

  /** The faults that TypeScript finds, in the package's types too, where somebody has them and the platform's. */
  typeFaults(files: string[], platform: "@cloudflare/workers-types" | "node"): string {
    const options = {
      compilerOptions: {
        target: "es2023",
        module: "nodenext",
        moduleResolution: "nodenext",
        strict: true,
        noEmit: true,
        skipLibCheck: false,
        lib: ["es2023", "esnext.disposable"],
        types: [platform],
      },
      files,
    };
    writeFileSync(join(this.folder, "package.json"), '{"type":"module"}');
    writeFileSync(join(this.folder, "tsconfig.json"), JSON.stringify(options));
    try {
      execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", this.folder], { encoding: "utf8" });
      return "";
    } catch (fault) {
      return (fault as { stdout: string }).stdout;
    }
  }

  /** One of the programs with all that it imports, as one module. */
  async bundle(name: string): Promise<string> {
    const { outputFiles } = await build({
      entryPoints: [join(this.folder, name)],
      absWorkingDir: this.folder,
      bundle: true,
      write: false,
      format: "esm",
      target: "es2023",
    });
    return outputFiles[0]!.text;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
