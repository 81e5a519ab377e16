export {
  type Sending,
  type Specification,
  SpecificationFailed,
  type SpecificationSettings,
  type Specified,
  specification,
} from './authority/specification.ts'
