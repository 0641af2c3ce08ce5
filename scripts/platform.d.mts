export interface Platform {
  os: string;
  cpu: string;
  libc: 'glibc' | 'musl';
}

export const PLATFORMS: Readonly<Record<string, Platform>>;
export const platform: string;
export function packageOf(platform: string): string;
