# The node-gyp build, CPU only. Every file of addon/, ops/, program/ and cpu/ is a source, those of cpu/ units that
# include the files of a family's folder; cpu/ is compiled once per instruction set. The libraries are linked from the
# narrowest to the widest set, so that a weak symbol never comes from instructions the machine may lack.
{
  'variables': {
    'variables': { 'native%': '.' },
    'native%': '<(native)',
    'version': '<!(node -p "require(\'./<(native)/../package.json\').version")',
    'node_addon_api': '<!(node -p "require(\'node-addon-api\').include_dir")',
    'addon_sources': [
      '<!@(node -p "fs.readdirSync(\'<(native)/addon\').filter(f => f.endsWith(\'.cc\')).map(f => \'<(native)/addon/\' + f).join(\' \')")',
    ],
    'ops_sources': [
      '<!@(node -p "fs.readdirSync(\'<(native)/ops\').filter(f => f.endsWith(\'.cc\')).map(f => \'<(native)/ops/\' + f).join(\' \')")',
    ],
    'program_sources': [
      '<!@(node -p "fs.readdirSync(\'<(native)/program\').filter(f => f.endsWith(\'.cc\')).map(f => \'<(native)/program/\' + f).join(\' \')")',
    ],
    'cpu_sources': [
      '<!@(node -p "fs.readdirSync(\'<(native)/cpu\').filter(f => f.endsWith(\'.cc\')).map(f => \'<(native)/cpu/\' + f).join(\' \')")',
    ],
    'strict_flags': [
      '-std=c++17', '-O3', '-fno-math-errno', '-fno-trapping-math', '-fvisibility=hidden',
      '-Wall', '-Wextra',
    ],
  },
  'target_defaults': {
    'include_dirs': ['<(native)'],
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20'],
    'cflags!': ['-fno-omit-frame-pointer'],
    'cflags': ['-fPIC'],
    'cflags_cc': ['<@(strict_flags)'],
    'xcode_settings': {
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_ENABLE_CPP_RTTI': 'YES',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
      'GCC_OPTIMIZATION_LEVEL': '3',
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
      'OTHER_CPLUSPLUSFLAGS': ['<@(strict_flags)'],
    },
  },
  'targets': [
    {
      'target_name': 'flatmin',
      'sources': [
        '<@(addon_sources)', '<@(ops_sources)', '<@(program_sources)', '<(native)/cuda/device/no_cuda.cc',
      ],
      'include_dirs': ['<(node_addon_api)'],
      # Swallowed: what can no longer be thrown in a worker that ends.
      'defines': [
        'NAPI_VERSION=9', 'NODE_ADDON_API_CPP_EXCEPTIONS',
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS', 'FLATMIN_VERSION="<(version)"',
      ],
      'dependencies': ['portable'],
      'conditions': [['target_arch=="x64"', { 'dependencies': ['avx2', 'avx512'] }]],
    },
    {
      'target_name': 'portable',
      'type': 'static_library',
      'sources': ['<@(cpu_sources)'],
      'defines': ['FLATMIN_ISA=portable'],
    },
  ],
  'conditions': [
    ['target_arch=="x64"', {
      'variables': {
        'avx2_flags': ['-mavx2', '-mfma', '-mf16c', '-mbmi', '-mbmi2'],
        'avx512_flags': [
          '-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mprefer-vector-width=512',
        ],
      },
      'targets': [
        {
          'target_name': 'avx2',
          'type': 'static_library',
          'sources': ['<@(cpu_sources)'],
          'defines': ['FLATMIN_ISA=avx2'],
          'cflags_cc': ['<@(avx2_flags)'],
          'xcode_settings': { 'OTHER_CPLUSPLUSFLAGS': ['<@(avx2_flags)'] },
        },
        {
          'target_name': 'avx512',
          'type': 'static_library',
          'sources': ['<@(cpu_sources)'],
          'defines': ['FLATMIN_ISA=avx512'],
          'cflags_cc': ['<@(avx2_flags)', '<@(avx512_flags)'],
          'xcode_settings': { 'OTHER_CPLUSPLUSFLAGS': ['<@(avx2_flags)', '<@(avx512_flags)'] },
        },
      ],
    }],
  ],
}
