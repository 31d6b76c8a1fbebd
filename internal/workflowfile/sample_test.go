package workflowfile

// sample is a file that uses most of what there is.
const sample = `name: Sample CI
run-name: Deploy ${{ inputs.target }} by @${{ github.actor }}
on:
  push:
    branches: [main, 'release/**']
    tags: v*
    paths-ignore: ['docs/**']
  pull_request:
    types: [opened]
    branches: main
  schedule:
    - cron: '0 3 * * *'
      timezone: Europe/Berlin
  workflow_dispatch:
    inputs:
      target:
        description: where to
        type: choice
        options: [dev, prod]
        default: dev
      dry:
        type: boolean
        default: true
      count: {type: number}
      note:
  some_future_event:
    whatever: {a: [b]}
env:
  GREETING: hello
  VERSION: 1.10
defaults: &defaults
  run:
    shell: bash
permissions:
  contents: read
x-steps:
  - &checkout
    uses: actions/checkout@v4
    with: {fetch-depth: 0}
jobs:
  build:
    name: Build
    runs-on: [self-hosted, '${{ matrix.os }}']
    strategy:
      fail-fast: false
      max-parallel: 2
      matrix:
        os: [linux, windows]
        go: [1.22, '1.23']
        exclude: [{os: windows, go: 1.22}]
        include: [{os: linux, extra: true}]
    timeout-minutes: 12.5
    continue-on-error: ${{ matrix.extra == true }}
    container:
      image: golang:${{ matrix.go }}
      ports: [80]
      unknown: dropped
    services:
      db:
        image: postgres
        env: {POSTGRES_PASSWORD: x}
    env: {A: '${{ vars.A }}'}
    defaults: *defaults
    environment: prod
    snapshot: dropped
    outputs:
      sum: ${{ steps.s.outputs.sum }}
      other: "1"
    steps:
      - *checkout
      - name: Test ${{ matrix.os }}
        id: s
        run: |
          go test ./...
          echo "sum=1" >> $GITHUB_OUTPUT

          echo done
        continue-on-error: true
        timeout-minutes: 5
        if: ${{ !cancelled() }}
        unknown: dropped
      - run: |

          echo second
          echo third
        working-directory: sub dir
        shell: sh
        env:
          EMPTY:
          TRICKY: "a: b # c"
  report:
    needs: build
    if: ${{ always() && needs.build.result == 'failure' }}
    runs-on: ubuntu-latest
    permissions: read-all
    steps:
      - uses: owner/action@v1
`
