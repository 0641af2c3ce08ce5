{
  'variables': { 'native': 'native' },
  'includes': ['native/binding.gyp'],
}
