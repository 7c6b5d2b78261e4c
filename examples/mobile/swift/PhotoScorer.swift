import MediaPipeTasksVision
import UIKit

/// Scores photos with a file that `iqa-zoo export MODEL -o model.tflite --to mediapipe`
/// wrote.
///
/// Keep one for all photos, and call it from one queue that is not the main one.
final class PhotoScorer {
  private let classifier: ImageClassifier
  private let scale: ClosedRange<Double>

  /// - Parameters:
  ///   - modelPath: the file's path, such as that of a resource of the app's bundle.
  ///   - scale: the lowest and the highest mark of the model.
  init(modelPath: String, scale: ClosedRange<Double> = 1...10) throws {
    // Scores are those of the CPU: a GPU resizes photos in another way. Neither
    // maxResults nor scoreThreshold is set, since the mean needs every bin.
    let options = ImageClassifierOptions()
    options.baseOptions.modelAssetPath = modelPath
    options.baseOptions.delegate = .CPU
    options.runningMode = .image
    classifier = try ImageClassifier(options: options)
    self.scale = scale
  }

  /// The share of people for each mark, of a photo in its own size.
  func distribution(of photo: UIImage) throws -> [Double] {
    // Without the orientation it would be judged as the sensor wrote it.
    let image = try MPImage(uiImage: photo, orientation: photo.imageOrientation)
    let result = try classifier.classify(image: image)
    let categories = result.classificationResult.classifications.first?.categories ?? []
    // They come sorted by share.
    var shares = [Double](repeating: 0, count: categories.count)
    for category in categories { shares[category.index] = Double(category.score) }
    let total = shares.reduce(0, +)  // not quite 1 where the model has 8 bits
    return shares.map { $0 / total }
  }

  /// The score: the mean of `distribution`, whose bins divide the scale evenly.
  func score(of photo: UIImage) throws -> Double {
    let shares = try distribution(of: photo)
    let step = (scale.upperBound - scale.lowerBound) / Double(shares.count - 1)
    return zip(shares.indices, shares).reduce(0) { sum, pair in
      sum + pair.1 * (scale.lowerBound + Double(pair.0) * step)
    }
  }
}
