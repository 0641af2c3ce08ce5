import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
/** TypeScript 6, of this folder's package. */
export function typescript() {
  try {
    return createRequire(import.meta.url)('./node_modules/typescript');
  } catch {
    return undefined;
  }
}
/**
 * What an editor shows on hover of each export and of each property of what exported functions take; `optional` are those
 * that may be left out, [name, text].
 */
export function hoverTexts(ts) {
  const entry = resolve(root, 'dist/index.d.ts');
  const file = resolve(root, 'dist/user.ts');
  const options = {
    strict: true,
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    types: ['node'],
    typeRoots: [resolve(root, 'node_modules/@types')],
  };
  const read = (name) => (name === file ? "import './index.js';" : ts.sys.readFile(name));
  const host = {
    getCompilationSettings: () => options,
    getScriptFileNames: () => [file],
    getScriptVersion: () => '1',
    getScriptSnapshot: (name) => {
      const text = read(name);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (name) => name === file || ts.sys.fileExists(name),
    readFile: read,
    readDirectory: ts.sys.readDirectory,
  };
  const service = ts.createLanguageService(host);
  const program = service.getProgram();
  const checker = program.getTypeChecker();
  const texts = new Map();
  const optional = [];
  const seen = new Set();
  /** As the service answers where the name stands. */
  const hover = (symbol) => {
    const places = symbol.declarations ?? [];
    const text = places.map((place) => {
      const name = ts.getNameOfDeclaration(place) ?? place;
      const info = service.getQuickInfoAtPosition(place.getSourceFile().fileName, name.getStart());
      return ts.displayPartsToString(info?.documentation);
    });
    return text.find((each) => each !== '') ?? '';
  };
  const ours = (symbol) =>
    (symbol.declarations ?? []).some((d) => d.getSourceFile().fileName.startsWith(`${root}/dist/`));
  const properties = (title, type) => {
    if (type.isUnionOrIntersection()) {
      for (const part of type.types) properties(title, part);
      return;
    }
    if (type.getCallSignatures().length > 0) return;
    for (const property of type.getProperties()) {
      if (!ours(property) || seen.has(property)) continue;
      seen.add(property);
      const name = `${title}.${property.name}`;
      const text = hover(property);
      // The first of a union tells: others may say that it is not given.
      if (!texts.has(name) || texts.get(name) === '') texts.set(name, text);
      if ((property.flags & ts.SymbolFlags.Optional) !== 0) optional.push([name, text]);
      properties(name, checker.getTypeOfSymbol(property));
    }
  };
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry));
  for (const exported of checker.getExportsOfModule(module)) {
    const alias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
    const symbol = alias ? checker.getAliasedSymbol(exported) : exported;
    // A namespace has no text of its own.
    if ((symbol.flags & ts.SymbolFlags.ValueModule) !== 0) continue;
    texts.set(exported.name, hover(symbol));
    if ((symbol.flags & ts.SymbolFlags.Value) === 0) continue;
    for (const signature of checker.getTypeOfSymbol(symbol).getCallSignatures()) {
      for (const parameter of signature.getParameters()) {
        properties(`${exported.name}(${parameter.name})`, checker.getTypeOfSymbol(parameter));
      }
    }
  }
  return { texts, optional };
}
